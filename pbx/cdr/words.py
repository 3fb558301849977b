"""What the numbers of a call record mean, in words of the user's language."""

from pbx.call.cause import CallTag
from pbx.cdr.endings import PARTICULAR
from pbx.locale import language, say
from pbx.sip.reason import Q850_TEXTS

_Q850_TEXTS_ZH: dict[int, str] = {
    1: "空号",
    2: "没有到指定网络的路由",
    3: "没有到目的地的路由",
    8: "被优先呼叫抢占",
    16: "正常的呼叫拆线",
    17: "用户忙",
    18: "用户没有响应",
    19: "用户没有应答",
    20: "用户不在",
    21: "呼叫被拒绝",
    22: "号码已改",
    23: "转到新的目的地",
    25: "交换机路由错误",
    26: "清除未被选中的用户",
    27: "目的地故障",
    28: "号码格式无效",
    29: "补充业务被拒绝",
    31: "正常，未指明",
    34: "没有可用的电路",
    38: "网络故障",
    41: "临时故障",
    42: "交换设备拥塞",
    47: "资源不可用，未指明",
    55: "禁止呼入",
    57: "承载能力未获授权",
    58: "承载能力目前不可用",
    63: "业务或选项不可用",
    65: "承载能力未实现",
    70: "只能提供受限的数字信息",
    79: "业务或选项未实现",
    87: "用户不是闭合用户群的成员",
    88: "目的地不兼容",
    102: "定时器超时后恢复",
    111: "协议错误，未指明",
    127: "互通，未指明",
}
"""Q.850's words in Chinese; in English, `pbx.sip.reason` has them for the Reason header."""


def tag_words(tag: int | None, cause: int | None = None) -> str:
    """Return who ended a call, and how, by its callTag; empty for a number that isn't known.

    Args:
        tag: the callTag.
        cause: the Q.850 cause; some tell more exactly how it was. None for any.
    """
    if tag is None or tag not in CallTag.__members__.values():
        return ""
    return say(f"calltag-{tag}-{cause}" if (tag, cause) in PARTICULAR else f"calltag-{tag}")


def cause_words(cause: int | None) -> str:
    """Return the meaning of a Q.850 cause; empty for a number that isn't known."""
    texts = _Q850_TEXTS_ZH if language() == "zh" else Q850_TEXTS
    return "" if cause is None else texts.get(cause, "")
