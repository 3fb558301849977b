/* What the writer takes out of a recording's ring. */

static inline void take_run(int16_t *restrict left, int16_t *restrict right, int64_t run,
                            int16_t *restrict out, int stereo) {
  const int16x8_t silence = vdupq_n_s16(0);
  int64_t i = 0;
  for (; i + 8 <= run; i += 8) {
    int16x8x2_t both = {{vld1q_s16(left + i), vld1q_s16(right + i)}};
    if (stereo)
      vst2q_s16(out + 2 * i, both);
    else
      vst1q_s16(out + i, vqaddq_s16(both.val[0], both.val[1]));
    vst1q_s16(left + i, silence);
    vst1q_s16(right + i, silence);
  }
  for (; i < run; i++) {
    if (stereo) {
      out[2 * i] = left[i];
      out[2 * i + 1] = right[i];
    } else {
      out[i] = vqaddh_s16(left[i], right[i]);
    }
    left[i] = right[i] = 0;
  }
}

static inline void take_out(int16_t *ring, int64_t first, int64_t count, int16_t *restrict out,
                            int64_t length, int stereo) {
  for (int64_t done = 0, run; done < count; done += run) {
    int64_t at = (first + done) & (length - 1);
    run = MIN(count - done, length - at);
    take_run(ring + at, ring + length + at, run, out + (stereo ? 2 * done : done), stereo);
  }
}

void take_stereo(int16_t *ring, int64_t first, int64_t count, int16_t *restrict out,
                 int64_t length) {
  take_out(ring, first, count, out, length, 1);
}

void take_mono(int16_t *ring, int64_t first, int64_t count, int16_t *restrict out, int64_t length) {
  take_out(ring, first, count, out, length, 0);
}

/* --- a packet put into its place ------------------------------------------------------------- */

static inline int64_t units(int64_t ns, int64_t clock) {
  return ns / 1000000000 * clock + ns % 1000000000 * clock / 1000000000;
}

static inline int64_t rounded_down(int64_t number, int64_t by) {
  return number / by - (number % by < 0);
}

static inline void anchor(int64_t *party, int64_t timestamp, int64_t sample) {
  party[RECORD_ANCHOR_TS] = timestamp;
  party[RECORD_ANCHOR] = MAX(sample, 0);
  party[RECORD_LEAST] = RECORD_UNKNOWN;
  party[RECORD_LEAST_NS] = 0;
  party[RECORD_FIRST] = RECORD_UNKNOWN;
  party[RECORD_EVEN] = 0;
}

static inline int64_t distance(int64_t a, int64_t b) { return a < b ? b - a : a - b; }

static int64_t drift(const int64_t *row, int64_t *party, int64_t lag, int64_t now) {
  party[RECORD_LEAST] = MIN(party[RECORD_LEAST], lag);
  if (!party[RECORD_LEAST_NS]) party[RECORD_LEAST_NS] = now;
  if (now - party[RECORD_LEAST_NS] < RECORD_WATCH_NS) return 0;
  int64_t least = party[RECORD_LEAST];
  party[RECORD_LEAST] = RECORD_UNKNOWN;
  party[RECORD_LEAST_NS] = now;
  if (party[RECORD_FIRST] == RECORD_UNKNOWN) party[RECORD_FIRST] = least;
  int64_t moved = least - party[RECORD_FIRST];
  return distance(moved, 0) > RECORD_SHIFT_MS * row[RECORD_RATE] / 1000 ? moved : 0;
}

static int has_moved(const int64_t *row, int64_t *party, int64_t timestamp, int64_t lag,
                     int64_t count) {
  int64_t rate = row[RECORD_RATE], passed = timestamp - party[RECORD_LAST_TS];
  int late = lag + count > (RECORD_BEHIND_MS + RECORD_LEAD_MS) * rate / 1000;
  int even = distance(lag, party[RECORD_LAST_LAG]) < count >> 1;
  int follows = 0 < passed && passed <= 2 * count * party[RECORD_CLOCK] / rate;
  party[RECORD_EVEN] = late && follows && even ? party[RECORD_EVEN] + 1 : 0;
  party[RECORD_LAST_TS] = timestamp;
  party[RECORD_LAST_LAG] = lag;
  return party[RECORD_EVEN] >= RECORD_MOST_EVEN;
}

static int64_t move_back(const int64_t *row, int64_t *party, int16_t *track, int64_t lag) {
  int64_t first = party[RECORD_ANCHOR], end = row[RECORD_END], mask = row[RECORD_MASK];
  int64_t moved = MIN(-lag, first - row[RECORD_CLOSED]);
  if (moved <= 0) return 0;
  for (int64_t i = first; i < end; i++) track[(i - moved) & mask] = track[i & mask];
  for (int64_t i = MAX(end - moved, first); i < end; i++) track[i & mask] = 0;
  party[RECORD_ANCHOR] = first - moved;
  party[RECORD_LEAST] += moved;
  return moved;
}

static int64_t locate(int64_t *row, int64_t *party, int16_t *track, int64_t timestamp, int64_t ssrc,
                      int64_t count, int64_t now) {
  int64_t rate = row[RECORD_RATE];
  int64_t arrived = units(MAX(now - row[RECORD_START_NS], 0), rate) - count;
  if (!party[RECORD_STARTED] || party[RECORD_SSRC] != ssrc) {
    row[RECORD_RESETS] += party[RECORD_STARTED];
    party[RECORD_STARTED] = 1;
    party[RECORD_SSRC] = ssrc;
    party[RECORD_NEWEST_TS] = timestamp;
    anchor(party, timestamp, arrived);
  }
  int64_t ahead = (int32_t)(uint32_t)(timestamp - party[RECORD_NEWEST_TS]);
  int64_t extended = party[RECORD_NEWEST_TS] + ahead, clock = party[RECORD_CLOCK];
  int64_t since = (extended - party[RECORD_ANCHOR_TS]) * rate;
  int64_t sample = party[RECORD_ANCHOR] + rounded_down(since, clock), lag = arrived - sample;
  if (-rate <= lag && lag < 0) {
    int64_t before = move_back(row, party, track, lag);
    sample -= before;
    lag += before;
  }
  int leaps = lag < -rate || (lag > rate && ahead > 0) || ahead < -8 * clock;
  if (has_moved(row, party, extended, lag, count)) leaps = 1;
  int64_t moved = leaps ? 0 : drift(row, party, lag, now);
  if (leaps) {
    anchor(party, extended, arrived);
    party[RECORD_NEWEST_TS] = extended;
    sample = party[RECORD_ANCHOR];
  } else if (since < 0 && sample >= row[RECORD_CLOSED]) {
    party[RECORD_ANCHOR_TS] = extended;
    party[RECORD_ANCHOR] = sample;
  }
  party[RECORD_ANCHOR] += moved;
  row[RECORD_RESETS] += leaps || moved;
  party[RECORD_NEWEST_TS] = MAX(party[RECORD_NEWEST_TS], extended);
  return sample + moved;
}

int64_t record_put(int64_t *restrict row, int16_t *restrict ring, int64_t side,
            const int16_t *restrict pcm, int64_t count, int64_t timestamp, int64_t ssrc,
            int64_t now) {
  int64_t mask = row[RECORD_MASK], length = mask + 1;
  int64_t *party = row + RECORD_PARTY + RECORD_PARTY_WIDTH * side;
  int16_t *track = ring + side * length;
  int64_t sample = locate(row, party, track, timestamp, ssrc, count, now);
  int64_t skipped = MIN(MAX(row[RECORD_CLOSED] - sample, 0), count);
  int64_t kept = MIN(count, row[RECORD_TAKEN] + length - sample), whole = MAX(kept - skipped, 0);
  row[RECORD_MISSED] += count - whole;
  if (!whole) return 0;
  row[RECORD_END] = MAX(row[RECORD_END], sample + kept);
  int64_t at = (sample + skipped) & mask, before_end = MIN(whole, length - at);
  __builtin_memcpy(track + at, pcm + skipped, 2 * (uint64_t)before_end);
  __builtin_memcpy(track, pcm + skipped + before_end, 2 * (uint64_t)(whole - before_end));
  return whole;
}
