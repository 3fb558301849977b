/* G.726's decoder: what six zeros and two poles multiply is in eight lanes of 16 bits. */

typedef struct {
  int16x8_t weights, heard; /* of the zeros, then the poles; floats of 11 bits */
  int32_t first, second, last; /* of the poles: coefficients, and what the first is multiplied by */
  int32_t fast, slow, short_mean, long_mean, speed;
  int negative_1, negative_2, tone;
} g726;

static inline g726 load_g726(const int16_t *m) {
  int32_t slow = m[G726_YL_HIGH] << 10 | m[G726_YL_LOW];
  return (g726){vld1q_s16(m + G726_B), vld1q_s16(m + G726_DQ), m[G726_A1],  m[G726_A2],
                m[G726_SR1],           m[G726_YU],             slow,        m[G726_DMS],
                m[G726_DML],           m[G726_AP],             m[G726_PK1], m[G726_PK2],
                m[G726_TD]};
}

static inline void store_g726(int16_t *m, const g726 *s) {
  vst1q_s16(m + G726_B, s->weights);
  vst1q_s16(m + G726_DQ, s->heard);
  m[G726_PK1] = (int16_t)s->negative_1;
  m[G726_PK2] = (int16_t)s->negative_2;
  m[G726_YU] = (int16_t)s->fast;
  m[G726_YL_HIGH] = (int16_t)(s->slow >> 10);
  m[G726_YL_LOW] = (int16_t)(s->slow & 1023);
  m[G726_DMS] = (int16_t)s->short_mean;
  m[G726_DML] = (int16_t)s->long_mean;
  m[G726_AP] = (int16_t)s->speed;
  m[G726_TD] = (int16_t)s->tone;
}

static inline int16_t float_of(int32_t magnitude, int negative) {
  int32_t exponent = magnitude ? 32 - __builtin_clz((unsigned)magnitude) : 0;
  int32_t mantissa = magnitude ? magnitude << 6 >> exponent : 32;
  return (int16_t)(negative << 10 | exponent << 6 | mantissa);
}

static inline int16x8_t products(int16x8_t weights, int16x8_t heard) {
  const int16x8_t zero = vdupq_n_s16(0);
  int16x8_t size = vandq_s16(vabsq_s16(vshrq_n_s16(weights, 2)), vdupq_n_s16(8191));
  int16x8_t exponent = vsubq_s16(vdupq_n_s16(16), vclzq_s16(size));
  int16x8_t mantissa = vshlq_s16(size, vsubq_s16(vdupq_n_s16(6), exponent));
  mantissa = vbslq_s16(vceqq_s16(size, zero), vdupq_n_s16(32), mantissa);
  exponent = vaddq_s16(exponent, vandq_s16(vshrq_n_s16(heard, 6), vdupq_n_s16(15)));
  int16x8_t product = vmlaq_s16(vdupq_n_s16(48), vandq_s16(heard, vdupq_n_s16(63)), mantissa);
  uint16x8_t whole = vreinterpretq_u16_s16(vshlq_n_s16(vshrq_n_s16(product, 4), 7));
  whole = vandq_u16(vshlq_u16(whole, vsubq_s16(exponent, vdupq_n_s16(26))), vdupq_n_u16(32767));
  return with_sign(vreinterpretq_s16_u16(whole),
                   vshrq_n_s16(veorq_s16(vshlq_n_s16(heard, 5), weights), 15));
}

static inline int32_t limited(int32_t value, int32_t most) { return MIN(MAX(value, -most), most); }

static inline int16_t take_code(g726 *s, int32_t code) {
  const uint16_t zeros_only[8] = {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0, 0};
  const int16x8_t zeros = vreinterpretq_s16_u16(vld1q_u16(zeros_only));
  int16x8_t parts = products(s->weights, s->heard);
  int32_t of_zeros = vaddvq_s16(vandq_s16(parts, zeros)) >> 1, of_all = vaddvq_s16(parts) >> 1;
  int32_t behind = s->fast - (s->slow >> 6), share = s->speed >= 256 ? 64 : s->speed >> 2;
  int32_t part = (behind < 0 ? -behind : behind) * share >> 6;
  int32_t scale = (s->slow >> 6) + (behind >= 0 ? part : -part);
  int negative = code >> 3, rank = negative ? 15 - code : code;
  int32_t logarithm = G726_DQLN[rank] + (scale >> 2), magnitude = 0;
  if (logarithm >= 0) magnitude = (128 + (logarithm & 127)) << 7 >> (14 - (logarithm >> 7 & 15));
  int32_t change = negative ? -magnitude : magnitude;
  int16_t signal = (int16_t)(of_all + change);
  int32_t whole = s->slow >> 15;
  int32_t threshold = whole > 9 ? 31 << 10 : (32 + (s->slow >> 10 & 31)) << whole;
  int jump = s->tone && magnitude > (threshold + (threshold >> 1)) >> 1;
  s->fast = MIN(MAX(scale + ((32 * G726_WI[rank] - scale) >> 5), 544), 5120);
  s->slow += s->fast + (-s->slow >> 6);
  /* The poles first: their lanes are put into what becomes of the zeros. */
  int32_t partial = change + of_zeros;
  int32_t first = s->first, second = s->second;
  int sign = partial < 0, turned_1 = sign != s->negative_1, turned_2 = sign != s->negative_2;
  int32_t up_1 = 0, up_2 = 0;
  if (partial) {
    int32_t slope = limited(first, 8191) * 4;
    up_2 = ((turned_2 ? -16384 : 16384) + (turned_1 ? slope : -slope)) >> 7;
    up_1 = turned_1 ? -192 : 192;
  }
  second = limited(second + up_2 - (second >> 7), 12288);
  first = limited(first + up_1 - (first >> 8), 15360 - second);
  s->negative_2 = s->negative_1;
  s->negative_1 = sign;
  const int16x8_t minus = vdupq_n_s16((int16_t)-negative);
  int16x8_t turn = veorq_s16(vshrq_n_s16(vshlq_n_s16(s->heard, 5), 15), minus);
  int16x8_t step = with_sign(vdupq_n_s16(magnitude ? 128 : 0), turn);
  int16x8_t weights = vaddq_s16(s->weights, vsubq_s16(step, vshrq_n_s16(s->weights, 8)));
  weights = vsetq_lane_s16((int16_t)first, vsetq_lane_s16((int16_t)second, weights, 7), 6);
  int16x8_t heard = vextq_s16(vdupq_n_s16(float_of(magnitude, negative)), s->heard, 7);
  int32_t size = (signal < 0 ? -signal : signal) & 32767;
  heard = vsetq_lane_s16((int16_t)s->last, heard, 7);
  s->last = float_of(size, signal < 0);
  heard = vsetq_lane_s16((int16_t)s->last, heard, 6);
  s->tone = second < -11776;
  s->short_mean += ((G726_FI[rank] << 9) - s->short_mean) >> 5;
  s->long_mean += ((G726_FI[rank] << 11) - s->long_mean) >> 7;
  int32_t apart = 4 * s->short_mean - s->long_mean;
  int quickly = scale < 1536 || (apart < 0 ? -apart : apart) >= s->long_mean >> 3 || s->tone;
  s->speed += ((quickly ? 512 : 0) - s->speed) >> 4;
  if (jump) {
    weights = vdupq_n_s16(0);
    first = second = s->tone = 0;
    s->speed = 256;
  }
  s->first = first;
  s->second = second;
  s->weights = weights;
  s->heard = heard;
  return (int16_t)(MIN(MAX(signal, -8192), 8191) * 4);
}

int64_t decode_g726(int16_t *restrict memory, const uint8_t *restrict payload, int64_t length,
                    int16_t *restrict pcm, int64_t first_low) {
  g726 state = load_g726(memory);
  int shift = first_low ? 0 : 4;
  for (int64_t i = 0; i < length; i++) {
    pcm[2 * i] = take_code(&state, payload[i] >> shift & 15);
    pcm[2 * i + 1] = take_code(&state, payload[i] >> (4 - shift) & 15);
  }
  store_g726(memory, &state);
  return 2 * length;
}
