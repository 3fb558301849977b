"""The jitter buffer once more, with lists and whole packets, as slow as it likes to be."""

from dataclasses import dataclass, field

from pbx.media.engine.kernels import jitter_row as c

STRAGGLE, FORGET, TICK = 500_000_000, 5_000_000_000, 20_000_000


@dataclass
class Stored:
    timestamp: int
    sequence: int
    length: int
    kind: int
    distance: int
    source: int


@dataclass
class JitterTwin:
    """Sound of one sample a unit; nothing is shortened or lengthened in here."""

    clock: int = 8000
    shortest: int = 0
    longest: int = 1600
    event_type: int = 101
    noise_type: int = 13
    dtx_octets: int = 2
    slots: int = 8
    slot_octets: int = 512

    waiting: list[Stored] = field(default_factory=list)
    candidate: Stored | None = None
    window: list[int] = field(default_factory=list)
    arrived: int = 0
    seen: set[int] = field(default_factory=set)
    newest_sequence: int | None = None
    newest: int = 0
    ssrc: int | None = None
    old_ssrc: int | None = None
    changed: int = 0
    started: bool = False
    base: int = 0
    last_sound: int = 0
    running: bool = False
    fresh: bool = False
    next: int = 0
    bridged: int = 0
    concealing: int = 0
    silent: bool = False
    event_since: bool = False
    last_sequence: int | None = None
    duration: int = 0
    line: int = 0
    tick: int = 0
    now: int = 0
    delay: int = 0
    slot: Stored | None = None
    wanted: int = 0
    after: Stored | None = None
    copies: bool = False
    copies_wanted: int = 0
    rested: int = 0
    counts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.frame = self.clock // 50
        self.initial = self.target = max(self.shortest, self.clock // 100)

    def count(self, what: int, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    # --- in ---------------------------------------------------------------------------------------

    def discard(self) -> None:
        self.count(c.DISCARDED, len(self.waiting))
        self.waiting.clear()

    def refuse_candidate(self) -> None:
        if self.candidate is not None:
            self.count(c.DISCARDED)
            self.candidate = None

    def begin(self, first: Stored) -> None:
        self.discard()
        self.started = True
        self.newest, self.newest_sequence = first.timestamp, first.sequence
        self.seen.clear()
        self.base = first.distance
        self.window.clear()
        self.arrived = 0
        self.running = False
        self.bridged = self.duration = 0
        self.last_sequence = None
        self.next = first.timestamp - self.clock

    def listen_to(self, ssrc: int, now: int) -> None:
        self.discard()
        if self.ssrc is not None:
            self.old_ssrc = self.ssrc
            self.count(c.RESTARTS)
        self.ssrc, self.changed = ssrc, now
        self.started = self.running = self.silent = False
        self.fresh = True
        self.copies, self.copies_wanted = False, 0
        self.rested = 0
        self.target = self.initial
        self.newest_sequence = None
        self.seen.clear()

    def begin_with(self, first: Stored) -> None:
        self.begin(first)
        self.seen = {0}
        self.waiting = [first]
        self.candidate = None

    def saw(self, sequence: int) -> None:
        """`seen` holds how far each number is behind the newest one."""
        if self.newest_sequence is None:
            self.newest_sequence, self.seen = sequence, {0}
            return
        behind = (self.newest_sequence - sequence) % 65536
        if behind < 64:
            self.seen.add(behind)
        else:
            ahead = 65536 - behind
            self.seen = {0} | {one + ahead for one in self.seen if one + ahead < 64}
            self.newest_sequence = sequence

    def observe(self, distance: int, now: int) -> None:
        if now - self.last_sound > FORGET:
            self.window.clear()
            self.arrived = 0
            self.base = distance
        self.last_sound = now
        self.window = [*self.window, distance][-c.WINDOW :]
        self.arrived += 1
        self.base = min(self.base, distance)
        self.copies_wanted = max(self.copies_wanted - 1, 0)
        if self.arrived % 8 == 0 or distance - self.base > self.target:
            self.target -= max(min(self.window) - self.base, 0)
            self.base = min(self.window)
            allowed = len(self.window) // 128
            wanted = sorted(self.window)[-1 - allowed] - self.base + self.clock // 500
            if self.copies_wanted:
                wanted += self.duration
            wanted = min(max(wanted, self.shortest), self.longest - 3 * self.frame)
            if wanted > self.target:
                self.target = wanted
            else:
                self.target -= -((wanted - self.target) // 8)

    def jump(self, packet: Stored, marker: bool, far: bool) -> int:
        assert self.newest_sequence is not None
        before = self.candidate
        change = 0 if before is None else packet.distance - before.distance
        least = -self.clock // 5 if far else -self.clock // 200
        if (
            before is not None
            and before.source == self.ssrc
            and packet.sequence == (before.sequence + 1) % 65536
            and least <= change <= self.clock // 5
        ):
            self.begin_with(before)
            self.count(c.RESYNCS)
            return c.STORED
        if 0 < (self.newest_sequence - packet.sequence) % 65536 < 64:
            self.count(c.LATE)
            return c.TOO_LATE
        self.refuse_candidate()
        if marker:
            self.begin(packet)
            self.count(c.RESYNCS)
            return c.STORED
        return c.HELD

    def put(
        self,
        length: int,
        sequence: int,
        timestamp: int,
        marker: bool,
        kind: int,
        ssrc: int,
        now: int,
    ) -> int:
        if kind == self.event_type:
            self.count(c.EVENTS)
            if ssrc == self.ssrc:
                self.event_since = True
                self.saw(sequence)
            return c.EVENT
        self.count(c.RECEIVED)
        straggles = ssrc == self.old_ssrc and now - self.changed < STRAGGLE
        if straggles or not 0 < length <= self.slot_octets:
            self.count(c.DISCARDED)
            return c.REFUSED
        if self.ssrc is None:
            self.listen_to(ssrc, now)
        elif ssrc != self.ssrc:
            first = self.candidate
            proven = first is not None and first.source == ssrc
            if first is None or not proven or sequence != (first.sequence + 1) % 65536:
                self.refuse_candidate()
                if len(self.waiting) == self.slots - 1:
                    del self.waiting[0]
                    self.count(c.DISCARDED)
                distance = now * self.clock // 10**9 - timestamp
                self.candidate = Stored(timestamp, sequence, length, kind, distance, ssrc)
                return c.HELD
            self.listen_to(ssrc, now)
            self.begin_with(first)
        if self.started:
            timestamp = self.newest + (timestamp - self.newest + 2**31) % 2**32 - 2**31
        distance = now * self.clock // 10**9 - timestamp
        packet = Stored(timestamp, sequence, length, kind, distance, ssrc)
        if not self.started:
            self.begin(packet)
        lateness = distance - self.base
        far = abs(lateness) > self.clock
        assert self.newest_sequence is not None
        verdict: int = c.STORED
        if (self.newest_sequence - sequence) % 65536 in self.seen and not far:
            self.count(c.DUPLICATE)
            return c.AGAIN
        if far or lateness > self.longest:
            verdict = self.jump(packet, marker, far)
        elif self.candidate is not None and self.candidate.source == ssrc:
            self.refuse_candidate()
        if verdict == c.STORED:
            self.saw(sequence)
            self.observe(distance, now)
            self.newest = max(self.newest, timestamp)
            if timestamp < self.next - self.duration // 2:
                self.count(c.LATE)
                return c.TOO_LATE
        if verdict != c.TOO_LATE and len(self.waiting) == self.slots - 1:
            del self.waiting[0]
            self.count(c.DISCARDED)
        if verdict == c.STORED:
            self.waiting.append(packet)
            self.waiting.sort(key=lambda one: one.timestamp)
        elif verdict == c.HELD:
            self.candidate = packet
        return verdict

    # --- out --------------------------------------------------------------------------------------

    def pause(self) -> None:
        self.running = False
        self.bridged = 0

    def begin_tick(self, now: int) -> None:
        missed = now - self.tick - TICK
        self.tick = now
        self.now = now * self.clock // 10**9
        if not self.running:
            return
        if missed >= TICK:
            self.next += missed * self.clock // 10**9 - self.line
            self.line = 0
            self.count(c.RESYNCS)
            self.pause()
            return
        self.delay = self.now - self.next - self.bridged + self.line - self.base
        if self.delay > self.longest:
            self.next = self.now - self.base - self.target
            self.delay = self.target
            self.count(c.RESYNCS)
            self.pause()

    def follows(self, packet: Stored) -> bool:
        last = self.last_sequence
        return last is not None and packet.sequence == (last + 1) % 65536

    def play(self) -> int:
        self.slot = packet = self.waiting.pop(0)
        rests = self.follows(packet) and packet.timestamp - self.next >= 5 * self.frame
        self.rested = 2 if rests else min(self.rested, 1)
        self.last_sequence = packet.sequence
        self.next = packet.timestamp
        self.bridged = 0
        self.event_since = self.fresh = False
        self.count(c.PLAYED)
        if packet.kind == self.noise_type:
            self.silent = True
            self.duration = 0
            self.pause()
            return c.NOISE
        return c.PLAY

    def pass_over(self) -> int:
        self.slot = packet = self.waiting.pop(0)
        self.last_sequence = None
        self.count(c.DISCARDED)
        if packet.kind == self.noise_type:
            self.silent = True
            return c.NOISE
        return c.PASSED

    def wait(self) -> int:
        if self.waiting:
            due = self.now - self.waiting[0].timestamp - self.base
            if due + self.line > self.longest:
                return self.pass_over()
            if due >= self.target:
                self.running = True
                self.delay = due + self.line
                return self.play()
        if self.fresh and self.line == 0:
            return c.NOTHING
        self.wanted = self.frame - self.line
        self.count(c.COMFORT_SAMPLES, self.wanted)
        return c.COMFORT

    def conceal(self, missing: int) -> int:
        self.concealing += missing
        self.wanted = missing
        self.count(c.CONCEALED, missing)
        return c.CONCEAL

    def note_loss(self) -> None:
        if self.copies:
            self.copies_wanted = 500

    def step(self, now: int) -> int:
        if now != self.tick:
            self.begin_tick(now)
        if self.line >= self.frame:
            return c.READY
        self.after = None
        if self.waiting and self.waiting[0].timestamp < self.next - self.duration // 2:
            return self.pass_over()
        if not self.running:
            return self.wait()
        quiet = self.silent or self.event_since
        if not self.waiting:
            if quiet or self.concealing >= 5 * self.frame:
                self.silent = self.silent or (not quiet and self.rested > 0)
                self.pause()
                return self.wait()
            self.bridged += self.frame
            return self.conceal(self.frame)
        first = self.waiting[0]
        follows = self.follows(first)
        skipped = max(min(first.timestamp - self.next, self.bridged), 0)
        if skipped and not follows:
            self.note_loss()
        self.next += skipped
        self.bridged = 0
        hole = first.timestamp - self.next
        if hole <= self.clock // 400:
            return self.play()
        if quiet or follows or self.concealing + hole > 6 * self.frame:
            self.pause()
            return self.wait()
        self.note_loss()
        missing = hole if self.copies and hole <= self.duration else min(hole, self.frame)
        if hole <= max(self.duration, missing):
            self.after = first
        self.next += missing
        return self.conceal(missing)

    def decoded(self, samples: int) -> None:
        assert self.slot is not None
        if samples <= 0:
            self.last_sequence = None
            return
        self.duration = samples
        self.next += samples
        self.line += samples
        self.concealing = 0
        self.silent = self.slot.length <= self.dtx_octets or self.rested == 2
