/* G.722, in the order of the kernel: each band by itself, the mirror filters over the stretch. */

typedef struct {
  int32_t s, sz, scale, step, r, a1, a2, p1, p2;
  int32_t zeros[6], past[6];
} band;

static inline int32_t saturate(int32_t value) { return MIN(MAX(value, -32768), 32767); }

static inline band load_band(const int16_t *words) {
  band b = {words[G722_S],  words[G722_SZ], words[G722_SCALE], words[G722_STEP], words[G722_R],
            words[G722_A1], words[G722_A2], words[G722_P1],    words[G722_P2],   {0},
            {0}};
  for (int i = 0; i < 6; i++) {
    b.zeros[i] = words[G722_B + i];
    b.past[i] = words[G722_D + i];
  }
  return b;
}

static inline void store_band(int16_t *words, const band *b) {
  words[G722_S] = (int16_t)b->s;
  words[G722_SZ] = (int16_t)b->sz;
  words[G722_SCALE] = (int16_t)b->scale;
  words[G722_STEP] = (int16_t)b->step;
  words[G722_R] = (int16_t)b->r;
  words[G722_A1] = (int16_t)b->a1;
  words[G722_A2] = (int16_t)b->a2;
  words[G722_P1] = (int16_t)b->p1;
  words[G722_P2] = (int16_t)b->p2;
  for (int i = 0; i < 6; i++) {
    words[G722_B + i] = (int16_t)b->zeros[i];
    words[G722_D + i] = (int16_t)b->past[i];
  }
}

static inline int32_t step_of(int32_t scale, int32_t exponent) {
  int32_t shift = exponent - (scale >> 11), mantissa = G722_ILB[(scale >> 6) & 31];
  return (shift >= 0 ? mantissa >> shift : mantissa << -shift) << 2;
}

static inline int32_t quantize_low(int32_t wanted, int32_t step) {
  int32_t size = wanted ^ (wanted >> 31);
  uint32_t most = (((uint32_t)(size + 1) << 12) - 1) / (uint32_t)step;
  return G722_IL[G722_RANKS[MIN(most, G722_HIGHEST)] + (wanted < 0 ? 32 : 0)];
}

static inline int32_t quantize_high(int32_t wanted, int32_t step) {
  int far = (wanted ^ (wanted >> 31)) >= (564 * step) >> 12;
  return wanted < 0 ? !far : 3 - far;
}

static inline void adapt(band *b, int32_t difference) {
  int32_t partial = saturate(b->sz + difference);
  int32_t doubled = saturate(saturate(b->s + difference) * 2);
  int32_t slope = saturate(b->a1 * 4);
  if ((partial ^ b->p1) >= 0) slope = MIN(-slope, 32767);
  int32_t a2 = ((partial ^ b->p2) >= 0 ? 128 : -128) + (slope >> 7) + ((b->a2 * 127) >> 7);
  b->a2 = a2 = MIN(MAX(a2, -12288), 12288);
  int32_t a1 = ((partial ^ b->p1) >= 0 ? 192 : -192) + ((b->a1 * 255) >> 8), bound = 15360 - a2;
  b->a1 = a1 = MIN(MAX(a1, -bound), bound);
  int32_t poles = saturate(((a1 * doubled) >> 15) + ((a2 * b->r) >> 15));
  b->r = doubled;
  b->p2 = b->p1;
  b->p1 = partial;
  int32_t move = difference ? 128 : 0, total = 0;
  for (int i = 0; i < 6; i++) {
    int32_t turn = (b->past[i] ^ difference) >> 31;
    b->zeros[i] = ((b->zeros[i] * 255) >> 8) + ((move ^ turn) - turn);
  }
  for (int i = 5; i > 0; i--) b->past[i] = b->past[i - 1];
  b->past[0] = saturate(difference * 2);
  for (int i = 0; i < 6; i++) total += (b->zeros[i] * b->past[i]) >> 15;
  b->sz = saturate(total);
  b->s = saturate(poles + b->sz);
}

static inline void encode_band(int16_t *words, int high, const int16_t *restrict samples,
                               uint8_t *restrict octets, int64_t count) {
  band b = load_band(words);
  for (int64_t i = 0; i < count; i++) {
    int32_t wanted = saturate(samples[i] - b.s), code, difference, weight;
    if (high) {
      code = quantize_high(wanted, b.step);
      octets[i] = (uint8_t)(octets[i] | code << 6);
      difference = (b.step * G722_QM2[code]) >> 15;
      weight = G722_WH[code];
    } else {
      code = quantize_low(wanted, b.step);
      octets[i] = (uint8_t)code;
      difference = (b.step * G722_QM4[code >> 2]) >> 15;
      weight = G722_WL[code >> 2];
    }
    b.scale = MIN(MAX(((b.scale * 127) >> 7) + weight, 0), high ? 22528 : 18432);
    b.step = step_of(b.scale, high ? 10 : 8);
    adapt(&b, difference);
  }
  store_band(words, &b);
}

static inline void decode_band(int16_t *words, int high, int16_t *restrict samples,
                               const uint8_t *restrict octets, int64_t count) {
  band b = load_band(words);
  for (int64_t i = 0; i < count; i++) {
    int32_t code = high ? octets[i] >> 6 : octets[i] & 63, difference, weight, heard;
    if (high) {
      difference = heard = (b.step * G722_QM2[code]) >> 15;
      weight = G722_WH[code];
    } else {
      heard = (b.step * G722_QM6[code]) >> 15;
      difference = (b.step * G722_QM4[code >> 2]) >> 15;
      weight = G722_WL[code >> 2];
    }
    samples[i] = (int16_t)MIN(MAX(b.s + heard, -16384), 16383);
    b.scale = MIN(MAX(((b.scale * 127) >> 7) + weight, 0), high ? 22528 : 18432);
    b.step = step_of(b.scale, high ? 10 : 8);
    adapt(&b, difference);
  }
  store_band(words, &b);
}

/* Twelve taps of four neighbouring samples. */
static inline int32x4_t filtered(const int16_t *sound, const int16_t *taps) {
  int32x4_t total = vdupq_n_s32(0);
  for (int tap = 0; tap < G722_TAPS; tap++)
    total = vmlal_n_s16(total, vld1_s16(sound + tap), taps[tap]);
  return total;
}

static inline void keep_past(int16_t *memory, int64_t count) {
  for (int tap = 0; tap < G722_PAST; tap++) {
    memory[G722_FIRST + tap] = memory[G722_FIRST + count + tap];
    memory[G722_SECOND + tap] = memory[G722_SECOND + count + tap];
  }
}

int64_t decode_g722(int16_t *restrict memory, const uint8_t *restrict payload, int64_t length,
                    int16_t *restrict pcm) {
  int16_t *sums = memory + G722_FIRST, *differences = memory + G722_SECOND;
  int16_t *low = memory + G722_BANDS, *high = low + G722_STRETCH;
  for (int64_t done = 0; done < length; done += G722_STRETCH) {
    int64_t count = MIN(length - done, G722_STRETCH);
    decode_band(memory + G722_LOW, 0, low, payload + done, count);
    decode_band(memory + G722_HIGH, 1, high, payload + done, count);
    for (int64_t i = 0; i < count; i += 8) {
      int16x8_t one = vld1q_s16(low + i), other = vld1q_s16(high + i);
      vst1q_s16(sums + G722_PAST + i, vaddq_s16(one, other));
      vst1q_s16(differences + G722_PAST + i, vsubq_s16(one, other));
    }
    for (int64_t i = 0; i < count; i += 4) {
      int16x4x2_t both = {{vqshrn_n_s32(filtered(differences + i, G722_QMF_BACK), 11),
                           vqshrn_n_s32(filtered(sums + i, G722_QMF), 11)}};
      vst2_s16(pcm + 2 * (done + i), both);
    }
    keep_past(memory, count);
  }
  return 2 * length;
}

int64_t encode_g722(int16_t *restrict memory, const int16_t *restrict pcm, int64_t samples,
                    uint8_t *restrict payload) {
  int16_t *even = memory + G722_FIRST, *odd = memory + G722_SECOND;
  int16_t *low = memory + G722_BANDS, *high = low + G722_STRETCH;
  int64_t length = samples >> 1;
  for (int64_t done = 0; done < length; done += G722_STRETCH) {
    int64_t count = MIN(length - done, G722_STRETCH);
    for (int64_t i = 0; i < count; i += 8) {
      int16x8x2_t both = vld2q_s16(pcm + 2 * (done + i));
      vst1q_s16(even + G722_PAST + i, both.val[0]);
      vst1q_s16(odd + G722_PAST + i, both.val[1]);
    }
    for (int64_t i = 0; i < count; i += 4) {
      int32x4_t one = filtered(even + i, G722_QMF), other = filtered(odd + i, G722_QMF_BACK);
      vst1_s16(low + i, vshrn_n_s32(vaddq_s32(other, one), 14));
      vst1_s16(high + i, vshrn_n_s32(vsubq_s32(other, one), 14));
    }
    encode_band(memory + G722_LOW, 0, low, payload + done, count);
    encode_band(memory + G722_HIGH, 1, high, payload + done, count);
    keep_past(memory, count);
  }
  return length;
}
