"""What a leg can be of."""

from pbx.call.call import Call
from pbx.call.conversation import Conversation
from pbx.call.summons import Summons

AnyCall = Call | Conversation | Summons
