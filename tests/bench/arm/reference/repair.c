/* What takes the place of sound that isn't there: concealment, a period more or less, noise. */

static inline int32x4_t unlike(int32x4_t total, const int16_t *one, const int16_t *other) {
  int16x8_t a = vld1q_s16(one), b = vld1q_s16(other);
  total = vabal_s16(total, vget_low_s16(a), vget_low_s16(b));
  return vabal_high_s16(total, a, b);
}

/* The summed difference of `count` samples; what is over after eights is added one by one. */
static inline int32_t difference_of(const int16_t *one, const int16_t *other, int64_t count) {
  int32x4_t first = vdupq_n_s32(0), second = first;
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    first = unlike(first, one + i, other + i);
    second = unlike(second, one + i + 8, other + i + 8);
  }
  for (; i + 8 <= count; i += 8) first = unlike(first, one + i, other + i);
  int32_t total = vaddvq_s32(vaddq_s32(first, second));
  for (; i < count; i++) total += one[i] < other[i] ? other[i] - one[i] : one[i] - other[i];
  return total;
}

static inline int32_t magnitude_of(const int16_t *sound, int64_t count) {
  int32x4_t total = vdupq_n_s32(0);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    /* As unsigned numbers -32768 has a magnitude, too. */
    uint16x8_t size = vreinterpretq_u16_s16(vabsq_s16(vld1q_s16(sound + i)));
    total = vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(total), size));
  }
  int32_t sum = vaddvq_s32(total);
  for (; i < count; i++) sum += sound[i] < 0 ? -sound[i] : sound[i];
  return sum;
}

/* --- concealment ----------------------------------------------------------------------------- */

static int64_t best_lag(const int16_t *end, int64_t span, int64_t first, int64_t last) {
  int64_t best = first;
  int32_t least = INT32_MAX;
  for (int64_t lag = first; lag <= last; lag++) {
    int32_t found = difference_of(end - span, end - span - lag, span);
    if (found < least) {
      least = found;
      best = lag;
    }
  }
  return best;
}

static int64_t find_period(const int64_t *concealer, int16_t *memory) {
  int64_t step = concealer[PLC_STEP], span = concealer[PLC_SPAN], end = concealer[PLC_END];
  int64_t shortest = concealer[PLC_SHORTEST], longest = concealer[PLC_LONGEST];
  if (step == 1) return best_lag(memory + end, span, shortest, longest);
  int16_t *rough = memory + PLC_ROUGH;
  const int16_t *begin = memory + end - span - longest;
  int64_t rough_end = (span + longest) / step;
  for (int64_t i = 0; i < rough_end; i++) {
    int32_t total = 0;
    for (int64_t part = 0; part < step; part++) total += begin[i * step + part];
    /* Rounded down. */
    rough[i] = (int16_t)((total - (total < 0 ? step - 1 : 0)) / step);
  }
  int64_t lag = step * best_lag(rough + rough_end, span / step, shortest / step, longest / step);
  int64_t first = MAX(lag - step + 1, shortest);
  return best_lag(memory + end, span, first, MIN(lag + step - 1, longest));
}

static void begin_concealing(int64_t *concealer, int16_t *memory) {
  int64_t period = find_period(concealer, memory), overlap = period >> 2;
  const int16_t *end = memory + concealer[PLC_END];
  int16_t *cycle = memory + PLC_CYCLE;
  for (int64_t i = 0; i < period; i++) cycle[i] = end[i - period];
  int32_t weight = PLC_UNIT / (int32_t)(overlap + 1);
  for (int32_t i = 0; i < overlap; i++) {
    int32_t share = (i + 1) * weight;
    int32_t mixed = end[i - overlap] * (PLC_UNIT - share) + end[i - period - overlap] * share;
    cycle[period - overlap + i] = (int16_t)(mixed >> 15);
  }
  concealer[PLC_PERIOD] = period;
  concealer[PLC_PHASE] = 0;
}

static inline int32_t next_concealed(int64_t *restrict concealer, const int16_t *restrict memory) {
  int64_t phase = concealer[PLC_PHASE];
  int32_t sample = memory[PLC_CYCLE + phase++];
  concealer[PLC_PHASE] = phase == concealer[PLC_PERIOD] ? 0 : phase;
  int64_t left = concealer[PLC_FADE_END] - concealer[PLC_MISSING]++;
  int32_t gain = (int32_t)MIN(MAX((left * concealer[PLC_SLOPE]) >> 5, 0), PLC_UNIT);
  return (sample * gain) >> 15;
}

static void remember(int64_t *concealer, int16_t *restrict memory, const int16_t *restrict pcm,
                     int64_t count) {
  int64_t history = concealer[PLC_SPAN] + concealer[PLC_LONGEST], fresh = MIN(count, history);
  int64_t end = concealer[PLC_END];
  if (end + fresh > PLC_CYCLE) {
    int64_t kept = history - fresh;
    __builtin_memmove(memory, memory + end - kept, 2 * (uint64_t)kept);
    end = kept;
  }
  __builtin_memcpy(memory + end, pcm + count - fresh, 2 * (uint64_t)fresh);
  concealer[PLC_END] = end + fresh;
}

int64_t conceal(int64_t *restrict concealer, int16_t *restrict memory, int16_t *restrict pcm,
                int64_t samples) {
  int32_t error = 0, overlap = 1;
  if (!concealer[PLC_MISSING]) {
    begin_concealing(concealer, memory);
    const int16_t *end = memory + concealer[PLC_END];
    overlap = (int32_t)concealer[PLC_PERIOD] >> 2;
    error = end[-1] - end[-concealer[PLC_PERIOD] - 1];
  }
  int32_t weight = PLC_UNIT / (overlap + 1);
  for (int32_t i = 0; i < samples; i++) {
    int32_t sample = next_concealed(concealer, memory);
    if (i < overlap) sample += (int32_t)(((int64_t)error * (PLC_UNIT - (i + 1) * weight)) >> 15);
    pcm[i] = (int16_t)MIN(MAX(sample, -32768), 32767);
  }
  remember(concealer, memory, pcm, samples);
  return concealer[PLC_MISSING] < concealer[PLC_FADE_END];
}

void heard(int64_t *restrict concealer, int16_t *restrict memory, int16_t *restrict pcm,
           int64_t samples) {
  if (concealer[PLC_MISSING] && samples > 0) {
    int32_t blend = (int32_t)MIN(concealer[PLC_BLEND], samples), weight = PLC_UNIT / (blend + 1);
    for (int32_t i = 0; i < blend; i++) {
      int32_t share = (i + 1) * weight;
      int32_t mixed = pcm[i] * share + next_concealed(concealer, memory) * (PLC_UNIT - share);
      pcm[i] = (int16_t)(mixed >> 15);
    }
    concealer[PLC_MISSING] = 0;
  }
  remember(concealer, memory, pcm, samples);
}

/* --- a period more or less ------------------------------------------------------------------- */

static int64_t most_alike(const int16_t *line, int64_t count, int64_t low, int64_t high,
                          int64_t step) {
  int64_t best = low, least = difference_of(line, line + low, count);
  int64_t best_sum = magnitude_of(line + low, count), own = magnitude_of(line, count);
  for (int64_t period = low + step; period <= high; period += step) {
    int64_t found = difference_of(line, line + period, count);
    int64_t magnitude = own + magnitude_of(line + period, count);
    if (found * (own + best_sum) < least * magnitude) {
      best = period;
      least = found;
      best_sum = magnitude - own;
    }
  }
  return best;
}

static int64_t period_of(const int16_t *line, int64_t held, int64_t shortest, int64_t longest,
                         int64_t refusals) {
  int64_t count = held >> 1;
  longest = MIN(longest, count);
  count = MIN(count, MAX(longest, 3 * shortest));
  if (shortest < 1 || longest < shortest) return 0;
  int64_t step = MAX(shortest / 20, 1), best = most_alike(line, count, shortest, longest, step);
  if (step > 1)
    best = most_alike(line, count, MAX(best - step, shortest), MIN(best + step, longest), 1);
  int64_t found = difference_of(line, line + best, count);
  int64_t magnitude = magnitude_of(line, count) + magnitude_of(line + best, count);
  int alike = found * 4 <= magnitude;
  if (refusals >= TIMESCALE_PATIENT)
    alike = alike || found * 2 <= magnitude || refusals >= TIMESCALE_IMPATIENT;
  return alike || magnitude <= 2 * count * TIMESCALE_QUIET ? best : 0;
}

/* `target` may be one of the places: no vector reaches ahead of what it writes. */
static void fade(int16_t *target, const int16_t *old, const int16_t *new, int64_t count) {
  const int32_t first[4] = {0, 1, 2, 3};
  int32_t step = 32768 / (int32_t)count;
  int32x4_t weight = vmulq_n_s32(vld1q_s32(first), step), move = vdupq_n_s32(4 * step);
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    int32x4_t mixed = vmulq_s32(vmovl_s16(vld1_s16(old + i)), vsubq_s32(vdupq_n_s32(32768), weight));
    mixed = vmlaq_s32(mixed, vmovl_s16(vld1_s16(new + i)), weight);
    vst1_s16(target + i, vrshrn_n_s32(mixed, 15));
    weight = vaddq_s32(weight, move);
  }
  for (; i < count; i++) {
    int32_t part = (int32_t)i * step;
    target[i] = (int16_t)((old[i] * (32768 - part) + new[i] * part + 16384) >> 15);
  }
}

int64_t shorten(int16_t *line, int64_t held, int64_t shortest, int64_t longest, int64_t refusals) {
  int64_t period = period_of(line, held, shortest, longest, refusals);
  if (!period) return 0;
  fade(line, line, line + period, period);
  __builtin_memmove(line + period, line + 2 * period, 2 * (uint64_t)(held - 2 * period));
  return period;
}

int64_t lengthen(int16_t *line, int64_t held, int64_t shortest, int64_t longest, int64_t refusals,
                 int64_t room) {
  int64_t period = period_of(line, held, shortest, longest, refusals);
  if (!period || held + period > room) return 0;
  __builtin_memmove(line + 2 * period, line + period, 2 * (uint64_t)(held - period));
  fade(line + period, line + period, line, period);
  return period;
}

/* --- noise ----------------------------------------------------------------------------------- */

int64_t make_noise(int64_t *restrict noise, int16_t *restrict pcm, int64_t samples) {
  uint32_t seed = (uint32_t)noise[COMFORT_NOISE_SEED];
  int64_t amplitude = noise[COMFORT_NOISE_AMPLITUDE], target = noise[COMFORT_NOISE_TARGET];
  int64_t pole = noise[COMFORT_NOISE_POLE], shape = noise[COMFORT_NOISE_SHAPE];
  int64_t past = noise[COMFORT_NOISE_PAST];
  for (int64_t i = 0; i < samples; i++) {
    amplitude += (target - amplitude) >> 7;
    seed = seed * 1664525 + 1013904223;
    int64_t fresh = (((int64_t)(seed >> 16) - 32768) * ((amplitude * shape) >> 15)) >> 15;
    past = ((past * pole) >> 15) + fresh;
    pcm[i] = (int16_t)MIN(MAX((past + 32768) >> 16, -32768), 32767);
  }
  noise[COMFORT_NOISE_SEED] = seed;
  noise[COMFORT_NOISE_AMPLITUDE] = amplitude;
  noise[COMFORT_NOISE_PAST] = past;
  return samples;
}
