/* The jitter buffer as a voice needs it in each tick: a packet put in, a step, a frame taken. */

#define ROW(word) row[JITTER_ROW_##word]

static inline int64_t slot_at(const int64_t *row, int64_t position) {
  return row[JITTER_ROW_ORDER + (position & ROW(SLOT_MASK))];
}

static inline void drop_first(int64_t *row) {
  ROW(HEAD)++;
  ROW(COUNT)--;
  ROW(DISCARDED)++;
}

static inline void drop_candidate(int64_t *row) {
  ROW(DISCARDED) += ROW(CANDIDATE);
  ROW(CANDIDATE) = 0;
}

static void begin(int64_t *row, int64_t sequence, int64_t timestamp, int64_t away) {
  ROW(HEAD) += ROW(COUNT);
  ROW(DISCARDED) += ROW(COUNT);
  ROW(COUNT) = 0;
  ROW(STARTED) = 1;
  ROW(NEWEST_TS) = timestamp;
  ROW(NEWEST_SEQ) = sequence;
  ROW(SEEN) = 0;
  ROW(BASE) = away;
  ROW(FILLED) = ROW(ARRIVED) = ROW(RUNNING) = ROW(BRIDGED) = 0;
  ROW(LAST_SEQ) = -1;
  ROW(NEXT_TS) = timestamp - ROW(CLOCK);
  ROW(DURATION) = 0;
}

static void listen_to(int64_t *row, int64_t ssrc, int64_t now) {
  ROW(HEAD) += ROW(COUNT);
  ROW(DISCARDED) += ROW(COUNT);
  ROW(COUNT) = 0;
  if (ROW(SSRC) >= 0) {
    ROW(OLD_SSRC) = ROW(SSRC);
    ROW(RESTARTS)++;
  }
  ROW(SSRC) = ssrc;
  ROW(CHANGED_NS) = now;
  ROW(STARTED) = ROW(RUNNING) = 0;
  ROW(FRESH) = 1;
  ROW(SILENT) = ROW(COPIES) = ROW(COPIES_WANTED) = 0;
  ROW(TARGET) = ROW(INITIAL);
  ROW(NEWEST_SEQ) = -1;
  ROW(SEEN) = 0;
}

static inline void saw(int64_t *row, int64_t sequence) {
  int64_t ahead = (sequence - ROW(NEWEST_SEQ)) & 0xFFFF, behind = 0x10000 - ahead;
  uint64_t seen = (uint64_t)ROW(SEEN);
  if (ROW(NEWEST_SEQ) >= 0 && !ahead) {
    ROW(SEEN) = (int64_t)(seen | 1);
  } else if (ROW(NEWEST_SEQ) >= 0 && behind < 64) {
    ROW(SEEN) = (int64_t)(seen | (uint64_t)1 << behind);
  } else {
    ROW(SEEN) = (int64_t)((ahead < 64 ? seen << ahead : 0) | 1);
    ROW(NEWEST_SEQ) = sequence;
  }
}

static inline int was_seen(const int64_t *row, int64_t sequence) {
  int64_t behind = (ROW(NEWEST_SEQ) - sequence) & 0xFFFF;
  return ROW(NEWEST_SEQ) >= 0 && behind < 64 && (ROW(SEEN) >> behind) & 1;
}

static int64_t latest(const int64_t *row, int64_t low) {
  int64_t most[3] = {low, low, low};
  for (int64_t i = 0; i < ROW(FILLED); i++) {
    int64_t value = row[JITTER_ROW_DISTANCES + i];
    if (value > most[2]) {
      most[2] = value;
      for (int place = 2; place > 0 && most[place] > most[place - 1]; place--) {
        int64_t lesser = most[place - 1];
        most[place - 1] = most[place];
        most[place] = lesser;
      }
    }
  }
  return most[MIN(ROW(FILLED) >> 7, 2)] - low;
}

static void retarget(int64_t *row) {
  int64_t low = row[JITTER_ROW_DISTANCES];
  for (int64_t i = 1; i < ROW(FILLED); i++) low = MIN(low, row[JITTER_ROW_DISTANCES + i]);
  ROW(TARGET) -= MAX(low - ROW(BASE), 0);
  ROW(BASE) = low;
  int64_t wanted = latest(row, low) + ROW(CLOCK) / 500;
  if (ROW(COPIES_WANTED) > 0) wanted += ROW(DURATION);
  wanted = MIN(MAX(wanted, ROW(MIN_DELAY)), ROW(MAX_DELAY) - 3 * ROW(FRAME_UNITS));
  int64_t excess = ROW(TARGET) - wanted;
  ROW(TARGET) = excess < 0 ? wanted : ROW(TARGET) - ((excess + 7) >> 3);
}

static inline void observe(int64_t *row, int64_t away, int64_t now) {
  if (now - ROW(LAST_NS) > JITTER_FORGOTTEN_NS) {
    ROW(FILLED) = ROW(ARRIVED) = 0;
    ROW(BASE) = away;
  }
  ROW(LAST_NS) = now;
  row[JITTER_ROW_DISTANCES + (ROW(ARRIVED)++ & (JITTER_ROW_WINDOW - 1))] = away;
  ROW(FILLED) = MIN(ROW(FILLED) + 1, JITTER_ROW_WINDOW);
  ROW(BASE) = MIN(ROW(BASE), away);
  ROW(COPIES_WANTED) = MAX(ROW(COPIES_WANTED) - 1, 0);
  if (!(ROW(ARRIVED) & (JITTER_EVALUATE - 1)) || away - ROW(BASE) > ROW(TARGET)) retarget(row);
}

static void begin_with_candidate(int64_t *row) {
  int64_t slot = slot_at(row, ROW(HEAD) + ROW(COUNT));
  int64_t sequence = (row[JITTER_ROW_FACTS + slot] >> 16) & 0xFFFF;
  begin(row, sequence, row[JITTER_ROW_TIMESTAMPS + slot], ROW(CANDIDATE_DISTANCE));
  ROW(CANDIDATE) = 0;
  ROW(COUNT) = ROW(SEEN) = 1;
}

static int64_t hold(int64_t *row, int64_t ssrc, int64_t away) {
  drop_candidate(row);
  ROW(CANDIDATE) = 1;
  ROW(CANDIDATE_SSRC) = ssrc;
  ROW(CANDIDATE_DISTANCE) = away;
  return JITTER_ROW_HELD;
}

static inline int is_next(const int64_t *row, int64_t ssrc, int64_t sequence) {
  int64_t slot = slot_at(row, ROW(HEAD) + ROW(COUNT));
  int64_t before = (row[JITTER_ROW_FACTS + slot] >> 16) & 0xFFFF;
  return ROW(CANDIDATE) && ROW(CANDIDATE_SSRC) == ssrc && sequence == ((before + 1) & 0xFFFF);
}

static int64_t jump(int64_t *row, int64_t sequence, int64_t timestamp, int64_t away,
                    int64_t marker, int far) {
  int64_t behind = (ROW(NEWEST_SEQ) - sequence) & 0xFFFF, clock = ROW(CLOCK);
  int64_t change = away - ROW(CANDIDATE_DISTANCE), least = far ? -(clock / 5) : -(clock / 200);
  if (is_next(row, ROW(SSRC), sequence) && least <= change && change <= clock / 5) {
    begin_with_candidate(row);
    ROW(RESYNCS)++;
    return JITTER_ROW_STORED;
  }
  if (0 < behind && behind < 64) {
    ROW(LATE)++;
    return JITTER_ROW_TOO_LATE;
  }
  if (marker) {
    drop_candidate(row);
    begin(row, sequence, timestamp, away);
    ROW(RESYNCS)++;
    return JITTER_ROW_STORED;
  }
  return hold(row, ROW(SSRC), away);
}

static int64_t verdict_on(int64_t *row, int64_t sequence, int64_t timestamp, int64_t marker,
                          int64_t now) {
  int64_t away = units(now, ROW(CLOCK)) - timestamp;
  if (!ROW(STARTED)) begin(row, sequence, timestamp, away);
  int64_t lateness = away - ROW(BASE), verdict = JITTER_ROW_STORED;
  int far = lateness < -ROW(CLOCK) || lateness > ROW(CLOCK);
  if (was_seen(row, sequence) && !far) {
    ROW(DUPLICATE)++;
    return JITTER_ROW_AGAIN;
  }
  if (far || lateness > ROW(MAX_DELAY))
    verdict = jump(row, sequence, timestamp, away, marker, far);
  else if (ROW(CANDIDATE_SSRC) == ROW(SSRC))
    drop_candidate(row);
  if (verdict != JITTER_ROW_STORED) return verdict;
  saw(row, sequence);
  observe(row, away, now);
  ROW(NEWEST_TS) = MAX(ROW(NEWEST_TS), timestamp);
  if (timestamp >= ROW(NEXT_TS) - (ROW(DURATION) >> 1)) return JITTER_ROW_STORED;
  ROW(LATE)++;
  return JITTER_ROW_TOO_LATE;
}

static inline int is_heard(int64_t *row, int64_t ssrc, int64_t sequence, int64_t now) {
  if (ssrc == ROW(SSRC)) return 1;
  int first = ROW(SSRC) < 0;
  if (!first && !is_next(row, ssrc, sequence)) return 0;
  listen_to(row, ssrc, now);
  if (!first) begin_with_candidate(row);
  return 1;
}

static inline void step_aside(int64_t *row) {
  int64_t *order = row + JITTER_ROW_ORDER, mask = ROW(SLOT_MASK);
  int64_t at = (ROW(HEAD) + ROW(COUNT)) & mask, next = (at + 1) & mask, slot = order[at];
  order[at] = order[next];
  order[next] = slot;
}

int64_t jitter_put(int64_t *restrict row, uint8_t *restrict payloads,
                   const uint8_t *restrict packet, int64_t offset, int64_t length,
                   int64_t sequence, int64_t timestamp, int64_t marker, int64_t payload_type,
                   int64_t ssrc, int64_t now, int64_t room) {
  if (payload_type == ROW(EVENT_TYPE)) {
    ROW(EVENTS)++;
    if (ssrc == ROW(SSRC)) {
      ROW(EVENT_SINCE) = 1;
      saw(row, sequence);
    }
    return JITTER_ROW_EVENT;
  }
  ROW(RECEIVED)++;
  int straggler = ssrc == ROW(OLD_SSRC) && now - ROW(CHANGED_NS) < JITTER_STRAGGLERS_NS;
  int fits = 0 < length && length <= (int64_t)1 << ROW(SLOT_SHIFT);
  if (straggler || !fits || offset < 0 || offset > room - length) {
    ROW(DISCARDED)++;
    return JITTER_ROW_REFUSED;
  }
  int64_t extended = timestamp, verdict;
  if (!is_heard(row, ssrc, sequence, now)) {
    verdict = hold(row, ssrc, units(now, ROW(CLOCK)) - timestamp);
  } else {
    if (ROW(STARTED))
      extended = ROW(NEWEST_TS) + (int32_t)(uint32_t)(timestamp - ROW(NEWEST_TS));
    verdict = verdict_on(row, sequence, extended, marker, now);
  }
  if (verdict != JITTER_ROW_STORED && verdict != JITTER_ROW_HELD) return verdict;
  if (ROW(COUNT) >= ROW(SLOT_MASK)) drop_first(row);
  if (verdict == JITTER_ROW_STORED && ROW(CANDIDATE)) step_aside(row);
  int64_t at = ROW(HEAD) + ROW(COUNT), slot = slot_at(row, at);
  __builtin_memcpy(payloads + (slot << ROW(SLOT_SHIFT)), packet + offset, (uint64_t)length);
  row[JITTER_ROW_FACTS + slot] = length | sequence << 16 | payload_type << 32;
  row[JITTER_ROW_TIMESTAMPS + slot] = extended;
  if (verdict == JITTER_ROW_STORED) {
    int64_t *order = row + JITTER_ROW_ORDER, mask = ROW(SLOT_MASK);
    while (at > ROW(HEAD) && row[JITTER_ROW_TIMESTAMPS + slot_at(row, at - 1)] > extended) {
      order[at & mask] = slot_at(row, at - 1);
      at--;
    }
    order[at & mask] = slot;
    ROW(COUNT)++;
  }
  return verdict;
}

/* --- what the line needs next ---------------------------------------------------------------- */

static inline int64_t line_units(const int64_t *row) {
  return ROW(LINE) * ROW(CLOCK) / ROW(RATE);
}

static inline void pause(int64_t *row) { ROW(RUNNING) = ROW(BRIDGED) = 0; }

static void begin_tick(int64_t *row, int64_t now) {
  int64_t missed = now - ROW(TICK_NS) - PLAYOUT_TICK_NS;
  ROW(TICK_NS) = now;
  ROW(NOW) = units(now, ROW(CLOCK));
  if (!ROW(RUNNING)) return;
  if (missed >= PLAYOUT_TICK_NS) {
    ROW(NEXT_TS) += units(missed, ROW(CLOCK)) - line_units(row);
    ROW(LINE) = 0;
    ROW(RESYNCS)++;
    pause(row);
    return;
  }
  ROW(DELAY) = ROW(NOW) - (ROW(NEXT_TS) + ROW(BRIDGED) - line_units(row)) - ROW(BASE);
  if (ROW(DELAY) > ROW(MAX_DELAY)) {
    ROW(NEXT_TS) = ROW(NOW) - ROW(BASE) - ROW(TARGET);
    ROW(DELAY) = ROW(TARGET);
    ROW(RESYNCS)++;
    pause(row);
  }
}

static inline int follows(const int64_t *row, int64_t slot) {
  int64_t sequence = (row[JITTER_ROW_FACTS + slot] >> 16) & 0xFFFF;
  return ROW(LAST_SEQ) >= 0 && sequence == ((ROW(LAST_SEQ) + 1) & 0xFFFF);
}

static int64_t hand_out(int64_t *row) {
  int64_t slot = slot_at(row, ROW(HEAD)), *order = row + JITTER_ROW_ORDER;
  ROW(HEAD)++;
  ROW(COUNT)--;
  int64_t first = (ROW(HEAD) + ROW(COUNT) + ROW(CANDIDATE)) & ROW(SLOT_MASK);
  order[(ROW(HEAD) - 1) & ROW(SLOT_MASK)] = order[first];
  order[first] = slot;
  int64_t facts = row[JITTER_ROW_FACTS + slot], timestamp = row[JITTER_ROW_TIMESTAMPS + slot];
  ROW(SLOT) = slot;
  ROW(SLOT_LENGTH) = facts & 0xFFFF;
  ROW(SLOT_TYPE) = facts >> 32;
  ROW(SLOT_TS) = timestamp;
  ROW(LAST_SEQ) = (facts >> 16) & 0xFFFF;
  return timestamp;
}

static int64_t pass_over(int64_t *row) {
  hand_out(row);
  ROW(LAST_SEQ) = -1;
  ROW(DISCARDED)++;
  if (ROW(SLOT_TYPE) != ROW(NOISE_TYPE)) return JITTER_ROW_PASSED;
  ROW(SILENT) = 1;
  return JITTER_ROW_NOISE;
}

static int64_t play(int64_t *row) {
  int64_t next = slot_at(row, ROW(HEAD));
  int passed = row[JITTER_ROW_TIMESTAMPS + next] - ROW(NEXT_TS) >=
               PLAYOUT_CONCEAL_TICKS * ROW(FRAME_UNITS);
  if (passed && ROW(DTX_OCTETS) && follows(row, next))
    ROW(RESTED) = JITTER_ROW_JUST_NOW;
  else
    ROW(RESTED) = MIN(ROW(RESTED), JITTER_ROW_ONCE);
  int64_t timestamp = hand_out(row);
  ROW(NEXT_TS) = timestamp;
  ROW(BRIDGED) = ROW(EVENT_SINCE) = ROW(FRESH) = 0;
  ROW(PLAYED)++;
  if (ROW(SLOT_TYPE) == ROW(NOISE_TYPE)) {
    ROW(SILENT) = 1;
    ROW(DURATION) = 0;
    pause(row);
    return JITTER_ROW_NOISE;
  }
  int64_t slack = ROW(NOW) - timestamp - ROW(BASE) - ROW(TARGET);
  ROW(LOW_SLACK) = MIN(ROW(LOW_SLACK), slack);
  ROW(LOW_LEFT) = MIN(ROW(LOW_LEFT), line_units(row));
  if (slack < -(ROW(FRAME_UNITS) >> 3)) ROW(WATCHED) += ROW(CLOCK) / 10;
  return JITTER_ROW_PLAY;
}

static int64_t wait_on(int64_t *row) {
  if (ROW(COUNT) > 0) {
    int64_t timestamp = row[JITTER_ROW_TIMESTAMPS + slot_at(row, ROW(HEAD))];
    int64_t due = ROW(NOW) - timestamp - ROW(BASE), delay = due + line_units(row);
    if (delay > ROW(MAX_DELAY)) return pass_over(row);
    if (due >= ROW(TARGET)) {
      ROW(RUNNING) = 1;
      ROW(DELAY) = delay;
      ROW(LOW_SLACK) = ROW(LOW_LEFT) = ROW(CLOCK) << 4;
      ROW(WATCHED) = 0;
      return play(row);
    }
  }
  if (ROW(FRESH) && !ROW(LINE)) return JITTER_ROW_NOTHING;
  ROW(WANTED) = ROW(FRAME) - ROW(LINE);
  ROW(COMFORT_SAMPLES) += ROW(WANTED);
  return JITTER_ROW_COMFORT;
}

static int64_t conceal_units(int64_t *row, int64_t missing) {
  ROW(CONCEALING) += missing;
  ROW(WANTED) = missing * ROW(RATE) / ROW(CLOCK);
  ROW(CONCEALED) += ROW(WANTED);
  return JITTER_ROW_CONCEAL;
}

static int64_t bridge(int64_t *row) {
  int64_t slot = slot_at(row, ROW(HEAD));
  int64_t hole = row[JITTER_ROW_TIMESTAMPS + slot] - ROW(NEXT_TS);
  if (follows(row, slot) || ROW(SILENT) || ROW(EVENT_SINCE) ||
      ROW(CONCEALING) + hole > (PLAYOUT_CONCEAL_TICKS + 1) * ROW(FRAME_UNITS)) {
    pause(row);
    return wait_on(row);
  }
  if (ROW(COPIES)) ROW(COPIES_WANTED) = JITTER_ROW_COPIES_KEPT;
  int64_t missing = MIN(hole, ROW(FRAME_UNITS));
  if (ROW(COPIES) && hole <= ROW(DURATION)) missing = hole;
  if (hole <= MAX(ROW(DURATION), missing)) {
    ROW(AFTER_LOSS) = slot;
    ROW(AFTER_LENGTH) = row[JITTER_ROW_FACTS + slot] & 0xFFFF;
  }
  ROW(NEXT_TS) += missing;
  return conceal_units(row, missing);
}

static int64_t starve(int64_t *row) {
  if (ROW(SILENT) || ROW(EVENT_SINCE) ||
      ROW(CONCEALING) >= PLAYOUT_CONCEAL_TICKS * ROW(FRAME_UNITS)) {
    if (!ROW(SILENT) && !ROW(EVENT_SINCE) && ROW(RESTED)) ROW(SILENT) = JITTER_ROW_BY_CODEC;
    pause(row);
    return wait_on(row);
  }
  ROW(BRIDGED) += ROW(FRAME_UNITS);
  return conceal_units(row, ROW(FRAME_UNITS));
}

int64_t next_step(int64_t *row, int64_t now) {
  if (now != ROW(TICK_NS)) begin_tick(row, now);
  if (ROW(LINE) >= ROW(FRAME)) return JITTER_ROW_READY;
  ROW(AFTER_LOSS) = -1;
  int64_t passed = ROW(NEXT_TS) - (ROW(DURATION) >> 1);
  if (ROW(COUNT) > 0 && row[JITTER_ROW_TIMESTAMPS + slot_at(row, ROW(HEAD))] < passed)
    return pass_over(row);
  if (!ROW(RUNNING)) return wait_on(row);
  if (!ROW(COUNT)) return starve(row);
  int64_t first = slot_at(row, ROW(HEAD));
  int64_t ahead = row[JITTER_ROW_TIMESTAMPS + first] - ROW(NEXT_TS);
  int64_t skipped = MAX(MIN(ahead, ROW(BRIDGED)), 0);
  if (skipped > 0 && !follows(row, first) && ROW(COPIES))
    ROW(COPIES_WANTED) = JITTER_ROW_COPIES_KEPT;
  ROW(NEXT_TS) += skipped;
  ROW(BRIDGED) = 0;
  return ahead - skipped > ROW(CLOCK) / 400 ? bridge(row) : play(row);
}

void take(int64_t *restrict row, int16_t *restrict line, int16_t *restrict frame) {
  int64_t count = ROW(FRAME), left = MAX(ROW(LINE) - count, 0);
  __builtin_memcpy(frame, line, 2 * (uint64_t)count);
  __builtin_memmove(line, line + count, 2 * (uint64_t)left);
  ROW(LINE) = left;
}
