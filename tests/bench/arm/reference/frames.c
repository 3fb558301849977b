/* Codecs of G.711, the mixer, rates and sines. */

static inline int16x8_t with_sign(int16x8_t magnitude, int16x8_t negative) {
  return vsubq_s16(veorq_s16(magnitude, negative), negative);
}

int64_t decode_ulaw(const uint8_t *restrict payload, int64_t length, int16_t *restrict pcm) {
  const int16x8_t bias = vdupq_n_s16(0x84);
  for (int64_t i = 0; i < length; i += 8) {
    uint16x8_t code = vmovl_u8(vmvn_u8(vld1_u8(payload + i)));
    int16x8_t bits = vreinterpretq_s16_u16(code);
    int16x8_t step = vaddq_s16(vshlq_n_s16(vandq_s16(bits, vdupq_n_s16(15)), 3), bias);
    int16x8_t segment = vshrq_n_s16(vandq_s16(bits, vdupq_n_s16(0x70)), 4);
    int16x8_t negative = vshrq_n_s16(vshlq_n_s16(bits, 8), 15);
    vst1q_s16(pcm + i, with_sign(vsubq_s16(vshlq_s16(step, segment), bias), negative));
  }
  return length;
}

int64_t decode_alaw(const uint8_t *restrict payload, int64_t length, int16_t *restrict pcm) {
  const int16x8_t one = vdupq_n_s16(1);
  for (int64_t i = 0; i < length; i += 8) {
    uint16x8_t code = vmovl_u8(veor_u8(vld1_u8(payload + i), vdup_n_u8(0x55)));
    int16x8_t bits = vreinterpretq_s16_u16(code);
    int16x8_t segment = vshrq_n_s16(vandq_s16(bits, vdupq_n_s16(0x70)), 4);
    int16x8_t step = vaddq_s16(vshlq_n_s16(vandq_s16(bits, vdupq_n_s16(15)), 4), vdupq_n_s16(8));
    step = vaddq_s16(step, vshlq_n_s16(vminq_s16(segment, one), 8));
    step = vshlq_s16(step, vmaxq_s16(vsubq_s16(segment, one), vdupq_n_s16(0)));
    int16x8_t negative = vmvnq_s16(vshrq_n_s16(vshlq_n_s16(bits, 8), 15));
    vst1q_s16(pcm + i, with_sign(step, negative));
  }
  return length;
}

static inline uint8x8_t code_of(int16x8_t segment, int16x8_t step, int16x8_t negative, int mask) {
  int16x8_t code = vorrq_s16(vshlq_n_s16(segment, 4), vandq_s16(step, vdupq_n_s16(15)));
  code = vorrq_s16(code, vandq_s16(negative, vdupq_n_s16(0x80)));
  return vmovn_u16(vreinterpretq_u16_s16(veorq_s16(code, vdupq_n_s16((int16_t)mask))));
}

int64_t encode_ulaw(const int16_t *restrict pcm, int64_t count, uint8_t *restrict payload) {
  const int16x8_t ten = vdupq_n_s16(10), one = vdupq_n_s16(1);
  for (int64_t i = 0; i < count; i += 8) {
    int16x8_t sample = vld1q_s16(pcm + i), negative = vshrq_n_s16(sample, 15);
    int16x8_t magnitude = vshrq_n_s16(veorq_s16(sample, negative), 2);
    magnitude = vminq_s16(vaddq_s16(magnitude, vdupq_n_s16(33)), vdupq_n_s16(0x1FFF));
    int16x8_t segment = vsubq_s16(ten, vclzq_s16(magnitude));
    int16x8_t step = vshlq_s16(magnitude, vnegq_s16(vaddq_s16(segment, one)));
    vst1_u8(payload + i, code_of(segment, step, negative, 0xFF));
  }
  return count;
}

int64_t encode_alaw(const int16_t *restrict pcm, int64_t count, uint8_t *restrict payload) {
  const int16x8_t one = vdupq_n_s16(1), twelve = vdupq_n_s16(12);
  for (int64_t i = 0; i < count; i += 8) {
    int16x8_t sample = vld1q_s16(pcm + i), negative = vshrq_n_s16(sample, 15);
    int16x8_t magnitude = vshrq_n_s16(veorq_s16(sample, negative), 4);
    int16x8_t segment = vsubq_s16(twelve, vclzq_s16(vorrq_s16(magnitude, vdupq_n_s16(15))));
    int16x8_t shift = vminq_s16(vsubq_s16(one, segment), vdupq_n_s16(0));
    vst1_u8(payload + i, code_of(segment, vshlq_s16(magnitude, shift), negative, 0xD5));
  }
  return count;
}

void scale(int16_t *pcm, int64_t samples, int64_t gain) {
  const int16x4_t factor = vdup_n_s16((int16_t)gain);
  for (int64_t i = 0; i < samples; i += 8) {
    int16x8_t sample = vld1q_s16(pcm + i);
    int16x4_t low = vqrshrn_n_s32(vmull_s16(vget_low_s16(sample), factor), 12);
    int16x4_t high = vqrshrn_n_s32(vmull_s16(vget_high_s16(sample), factor), 12);
    vst1q_s16(pcm + i, vcombine_s16(low, high));
  }
}

int64_t add_parties(const int16_t *restrict frames, const int64_t *restrict members, int64_t count,
                    int64_t samples, int32_t *restrict total) {
  for (int64_t i = 0; i < samples; i += 8) {
    int32x4_t low = vdupq_n_s32(0), high = low;
    for (int64_t place = 0; place < count; place++) {
      int16x8_t sample = vld1q_s16(frames + members[place] * samples + i);
      low = vaddw_s16(low, vget_low_s16(sample));
      high = vaddw_s16(high, vget_high_s16(sample));
    }
    vst1q_s32(total + i, low);
    vst1q_s32(total + i + 4, high);
  }
  return count;
}

int64_t mix_minus(int64_t *limiter, const int32_t *restrict total, const int16_t *restrict own,
                  int64_t samples, int16_t *restrict out) {
  int32x4_t loudest = vdupq_n_s32(0);
  for (int64_t i = 0; i < samples; i += 8) {
    int16x8_t sample = vld1q_s16(own + i);
    int32x4_t low = vsubw_s16(vld1q_s32(total + i), vget_low_s16(sample));
    int32x4_t high = vsubw_s16(vld1q_s32(total + i + 4), vget_high_s16(sample));
    loudest = vmaxq_s32(loudest, vmaxq_s32(vabsq_s32(low), vabsq_s32(high)));
    vst1q_s16(out + i, vcombine_s16(vqmovn_s32(low), vqmovn_s32(high)));
  }
  /* The frames that are measured need no limiter. */
  return vmaxvq_s32(loudest) > 32767 || *limiter ? -1 : samples;
}

int64_t mix_all(int64_t *limiter, const int32_t *restrict total, int64_t samples,
                int16_t *restrict out) {
  int32x4_t loudest = vdupq_n_s32(0);
  for (int64_t i = 0; i < samples; i += 8) {
    int32x4_t low = vld1q_s32(total + i), high = vld1q_s32(total + i + 4);
    loudest = vmaxq_s32(loudest, vmaxq_s32(vabsq_s32(low), vabsq_s32(high)));
    vst1q_s16(out + i, vcombine_s16(vqmovn_s32(low), vqmovn_s32(high)));
  }
  return vmaxvq_s32(loudest) > 32767 || *limiter ? -1 : samples;
}

int64_t energy(const int16_t *pcm, int64_t samples) {
  int64x2_t total = vdupq_n_s64(0);
  for (int64_t i = 0; i < samples; i += 8) {
    int16x8_t sample = vld1q_s16(pcm + i);
    total = vpadalq_s32(total, vmull_s16(vget_low_s16(sample), vget_low_s16(sample)));
    total = vpadalq_s32(total, vmull_high_s16(sample, sample));
  }
  return vaddvq_s64(total);
}

static inline int32_t dot(const int16_t *taps, const int16_t *heard, int length) {
  int32x4_t low = vdupq_n_s32(0), high = low;
  for (int tap = 0; tap < length; tap += 8) {
    int16x8_t weight = vld1q_s16(taps + tap), sample = vld1q_s16(heard + tap);
    low = vmlal_s16(low, vget_low_s16(weight), vget_low_s16(sample));
    high = vmlal_high_s16(high, weight, sample);
  }
  return vaddvq_s32(vaddq_s32(low, high));
}

static inline void copy(int16_t *target, const int16_t *source, int64_t samples) {
  for (int64_t i = 0; i < samples; i++) target[i] = source[i];
}

static inline int64_t interpolate(int16_t *window, const int16_t *pcm, int64_t samples,
                                  int16_t *out, const int16_t *phases, int factor) {
  copy(window + 23, pcm, samples);
  for (int64_t i = 0; i < samples; i++)
    for (int phase = 0; phase < factor; phase++)
      out[factor * i + phase] =
          vqmovns_s32((dot(phases + 24 * phase, window + i, 24) + (1 << 13)) >> 14);
  copy(window, window + samples, 23);
  return factor * samples;
}

static inline int64_t decimate(int16_t *window, const int16_t *pcm, int64_t samples, int16_t *out,
                               const int16_t *taps, int factor) {
  copy(window + 23 * factor, pcm, samples);
  for (int64_t i = 0; i < samples / factor; i++)
    out[i] = vqmovns_s32((dot(taps, window + i * factor, 24 * factor) + (1 << 14)) >> 15);
  copy(window, window + samples, 23 * factor);
  return samples / factor;
}

#define RESAMPLER(name, kind, factor)                                                       \
  int64_t name(int16_t *window, const int16_t *pcm, int64_t samples, int16_t *out,          \
               const int16_t *taps) {                                                       \
    return kind(window, pcm, samples, out, taps, factor);                                   \
  }
RESAMPLER(up_8_16, interpolate, 2)
RESAMPLER(up_16_48, interpolate, 3)
RESAMPLER(up_8_48, interpolate, 6)
RESAMPLER(down_16_8, decimate, 2)
RESAMPLER(down_48_16, decimate, 3)
RESAMPLER(down_48_8, decimate, 6)

static inline int16x4_t sine(int32x4_t phase) {
  int16x4_t high = vshrn_n_s32(phase, 16), twice = vshl_n_s16(high, 1);
  int16x4_t z = veor_s16(twice, vshr_n_s16(veor_s16(high, twice), 15));
  z = vmax_s16(z, vdup_n_s16(-32767));
  int16x4_t square = vshrn_n_s32(vmull_s16(z, z), 15);
  int32x4_t total = vmlal_n_s16(vdupq_n_s32(42644707), square, -71);
  total = vmlal_s16(vdupq_n_s32(-693501361), square, vshrn_n_s32(total, 14));
  total = vmlal_s16(vdupq_n_s32(1686573405), square, vshrn_n_s32(total, 15));
  return vrshrn_n_s32(vmull_s16(z, vrshrn_n_s32(total, 16)), 14);
}

int64_t add_sine(int64_t phase, int64_t turns, int64_t peak, int16_t *out, int64_t samples) {
  const int32_t first[4] = {0, 1, 2, 3};
  int32x4_t angle = vmlaq_n_s32(vdupq_n_s32((int32_t)phase), vld1q_s32(first), (int32_t)turns);
  const int32x4_t step = vdupq_n_s32((int32_t)(4 * turns));
  for (int64_t i = 0; i < samples; i += 4) {
    int16x4_t wave = sine(angle);
    int32x4_t heard = vrshrq_n_s32(vmull_n_s16(wave, (int16_t)peak), 15);
    vst1_s16(out + i, vqmovn_s32(vaddw_s16(heard, vld1_s16(out + i))));
    angle = vaddq_s32(angle, step);
  }
  return 0;
}
