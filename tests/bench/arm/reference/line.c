/* Tones, levels, and what is on a line. */

int64_t play_tone(int64_t *restrict row, const int64_t *restrict program, int64_t samples,
                  int16_t *restrict out, int64_t steps) {
  for (int64_t i = 0; i < samples; i++) out[i] = 0;
  int64_t done = 0;
  while (done < samples) {
    if (row[TONES_STEP] < 0 || row[TONES_STEP] >= steps) {
      row[TONES_STEP] = -1;
      break;
    }
    const int64_t *step = program + TONES_STEP_WIDTH * row[TONES_STEP];
    int64_t length = step[TONES_SAMPLES], part = samples - done;
    if (length > 0) part = MIN(part, MAX(length - row[TONES_PLAYED], 1));
    for (int i = 0; i < TONES_SINES; i++) {
      int64_t peak = MIN(MAX(step[TONES_PEAKS + i], 0), 32767), phase = row[TONES_PHASES + i];
      if (peak > 0) {
        add_sine(phase, step[TONES_TURNS + i], peak, out + done, part);
        row[TONES_PHASES + i] = (phase + part * step[TONES_TURNS + i]) & TONES_LOW_32;
      } else {
        row[TONES_PHASES + i] = 0;
      }
    }
    row[TONES_PLAYED] += part;
    done += part;
    if (length > 0 && row[TONES_PLAYED] >= length) {
      row[TONES_STEP] = step[TONES_NEXT];
      row[TONES_PLAYED] = 0;
    }
  }
  return done;
}

static int64_t level_of(int64_t power, int64_t samples) {
  int64_t scaled = power << 20, least = 0, most = LEVELS_SILENCE;
  while (least < most) {
    int64_t middle = (least + most) >> 1;
    if (scaled >= LEVELS_THRESHOLDS[middle] * samples)
      most = middle;
    else
      least = middle + 1;
  }
  return most;
}

static void watch_voice(int64_t *row, int64_t loudness, int64_t denied) {
  int64_t above = (loudness << 6) - row[LEVELS_FLOOR_64];
  int on = loudness >= LEVELS_ON_LEAST && above >= LEVELS_ON_ABOVE_FLOOR << 6;
  int stays = loudness >= LEVELS_OFF_LEAST && above >= LEVELS_OFF_ABOVE_FLOOR << 6;
  if (!denied && (on || (row[LEVELS_ACTIVE] && stays))) {
    row[LEVELS_ACTIVE] = 1;
    row[LEVELS_HANG] = LEVELS_HANG_TICKS;
  } else if (row[LEVELS_HANG] > 0) {
    row[LEVELS_HANG]--;
  } else {
    row[LEVELS_ACTIVE] = 0;
  }
  if (above < 0)
    row[LEVELS_FLOOR_64] -= (3 - above) >> 2;
  else
    row[LEVELS_FLOOR_64] += row[LEVELS_ACTIVE] ? 1 : 4;
}

int64_t watch_level(int64_t *restrict row, const int16_t *restrict pcm, int64_t samples,
                    int64_t denied) {
  int64_t level = level_of(energy(pcm, samples), samples), loudness = LEVELS_SILENCE - level;
  if (!row[LEVELS_STARTED]) {
    row[LEVELS_STARTED] = 1;
    row[LEVELS_FLOOR_64] = MIN(loudness, LEVELS_ASSUMED_FLOOR) << 6;
  }
  row[LEVELS_LEVEL] = level;
  int64_t rise = (loudness << 4) - row[LEVELS_SCORE_16];
  row[LEVELS_SCORE_16] += rise > 0 ? (rise + 1) >> 1 : rise >> 4;
  int64_t before = row[LEVELS_ACTIVE];
  watch_voice(row, loudness, denied);
  if (row[LEVELS_ACTIVE] > before)
    row[LEVELS_SCORE_16] = MAX(row[LEVELS_SCORE_16], loudness << 4);
  return level;
}

/* --- digits ---------------------------------------------------------------------------------- */

typedef struct {
  int64_t real, imaginary;
} number;

static inline number *phasor(int64_t *row, int64_t piece, int64_t frequency) {
  int64_t place = DETECT_FREQUENCIES * (piece & (DETECT_PIECES - 1)) + frequency;
  return (number *)(row + DETECT_PHASORS) + place;
}

static inline int32_t piece_dot(const int16_t *taps, const int16x8_t heard[5]) {
  int32x4_t low = vdupq_n_s32(0), high = low;
  for (int eight = 0; eight < 5; eight++) {
    int16x8_t weight = vld1q_s16(taps + 8 * eight);
    low = vmlal_s16(low, vget_low_s16(weight), vget_low_s16(heard[eight]));
    high = vmlal_high_s16(high, weight, heard[eight]);
  }
  return vaddvq_s32(vaddq_s32(low, high));
}

static void enter_piece(int64_t *row, const int16_t *sound) {
  int64_t piece = ++row[DETECT_PIECE];
  int16x8_t heard[5];
  int64x2_t power = vdupq_n_s64(0);
  for (int eight = 0; eight < 5; eight++) {
    int16x8_t pcm = heard[eight] = vld1q_s16(sound + 8 * eight);
    power = vpadalq_s32(power, vmull_s16(vget_low_s16(pcm), vget_low_s16(pcm)));
    power = vpadalq_s32(power, vmull_high_s16(pcm, pcm));
  }
  row[DETECT_ENERGIES + (piece & (DETECT_PIECES - 1))] = vaddvq_s64(power);
  for (int frequency = 0; frequency < DETECT_FREQUENCIES; frequency++) {
    number *kept = phasor(row, piece, frequency);
    kept->real = piece_dot(DETECT_COS + DETECT_STEP * frequency, heard);
    kept->imaginary = -(int64_t)piece_dot(DETECT_SIN + DETECT_STEP * frequency, heard);
  }
}

static inline number turned(number n, int64_t frequency) {
  int64_t cosine = DETECT_TURN_COS[frequency], sinus = DETECT_TURN_SIN[frequency];
  return (number){(n.real * cosine + n.imaginary * sinus) >> 14,
                  (n.imaginary * cosine - n.real * sinus) >> 14};
}

static inline number window_of(int64_t *row, int64_t piece, int64_t frequency) {
  number total = *phasor(row, piece, frequency);
  for (int back = 1; back < 3; back++) {
    total = turned(total, frequency);
    number *before = phasor(row, piece - back, frequency);
    total.real += before->real;
    total.imaginary += before->imaginary;
  }
  return total;
}

static inline int64_t power_of(int64_t *row, int64_t frequency) {
  number n = window_of(row, row[DETECT_PIECE], frequency);
  int64_t real = n.real >> 8, imaginary = n.imaginary >> 8;
  return (int64_t)((uint64_t)(real * real + imaginary * imaginary) / (3 * DETECT_STEP * 8));
}

static int64_t off_frequency(int64_t *row, int64_t frequency) {
  number now = window_of(row, row[DETECT_PIECE], frequency);
  number before = window_of(row, row[DETECT_PIECE] - 1, frequency);
  now = (number){now.real >> 12, now.imaginary >> 12};
  before = (number){before.real >> 12, before.imaginary >> 12};
  number turn = {now.real * before.real + now.imaginary * before.imaginary,
                 now.imaginary * before.real - now.real * before.imaginary};
  turn = turned(turn, frequency);
  if (turn.real <= 0) return DETECT_FAR_OFF;
  int64_t off = turn.imaginary < 0 ? -turn.imaginary : turn.imaginary;
  return MIN((off << 8) / turn.real, DETECT_FAR_OFF);
}

static inline int64_t whole_power(int64_t power, int64_t off) {
  return power + ((9 * power * off * off) >> 20);
}

typedef struct {
  int64_t best, most, second;
} strongest;

static strongest strongest_of(int64_t *row, int64_t first) {
  strongest found = {first, -1, -1};
  for (int64_t frequency = first; frequency < first + 4; frequency++) {
    int64_t power = power_of(row, frequency);
    if (power > found.most)
      found = (strongest){frequency, power, found.most};
    else
      found.second = MAX(found.second, power);
  }
  return found;
}

static int64_t digit(int64_t *row) {
  int64_t whole = 0;
  for (int back = 0; back < 3; back++)
    whole += row[DETECT_ENERGIES + ((row[DETECT_PIECE] - back) & (DETECT_PIECES - 1))];
  if (whole < DETECT_LEAST) return 0;
  strongest low = strongest_of(row, 0);
  if (low.most < DETECT_LEAST || 8 * low.second > low.most) return 0;
  strongest high = strongest_of(row, 4);
  if (high.most < DETECT_LEAST || 8 * high.second > high.most) return 0;
  if (high.most > DETECT_TWIST * low.most || low.most > DETECT_REVERSE_TWIST * high.most) return 0;
  int64_t low_off = off_frequency(row, low.best), high_off = off_frequency(row, high.best);
  if (low_off > DETECT_OFF_TAN[low.best] || high_off > DETECT_OFF_TAN[high.best]) return 0;
  if (4 * (whole_power(low.most, low_off) + whole_power(high.most, high_off)) < 3 * whole) return 0;
  return DETECT_CODES[4 * low.best + high.best - 4] + 1;
}

static int enter_verdict(int64_t *row, int64_t found) {
  if (!found || found != row[DETECT_CANDIDATE]) row[DETECT_HITS] = 0;
  row[DETECT_CANDIDATE] = found;
  if (found) row[DETECT_HITS]++;
  if (row[DETECT_DIGIT]) {
    row[DETECT_SAMPLES] += DETECT_STEP;
    row[DETECT_MISSES] = found == row[DETECT_DIGIT] ? 0 : row[DETECT_MISSES] + 1;
    if (row[DETECT_MISSES] >= DETECT_MISSES_NEEDED) {
      row[DETECT_DIGIT] = 0;
      row[DETECT_SAMPLES] -= DETECT_MISSES_NEEDED * DETECT_STEP;
    }
  }
  if (row[DETECT_HITS] < DETECT_HITS_NEEDED || found == row[DETECT_DIGIT]) return 0;
  row[DETECT_DIGIT] = found;
  row[DETECT_MISSES] = 0;
  row[DETECT_SAMPLES] = (DETECT_HITS_NEEDED + 1) * DETECT_STEP;
  return 1;
}

int64_t detect_dtmf(int64_t *restrict row, const int16_t *restrict pcm, int64_t samples) {
  int64_t began = -1, length = MIN(samples, 5 * DETECT_STEP);
  for (int64_t start = 0; start + DETECT_STEP <= length; start += DETECT_STEP) {
    enter_piece(row, pcm + start);
    if (enter_verdict(row, digit(row))) began = row[DETECT_DIGIT] - 1;
  }
  return began;
}

/* --- one tone, silence ----------------------------------------------------------------------- */

static int64_t tone_energy(const int16_t *pcm, int64_t samples, int64_t turns) {
  const int32_t first[4] = {0, 1, 2, 3};
  int32x4_t phase = vmulq_n_s32(vld1q_s32(first), (int32_t)turns);
  const int32x4_t step = vdupq_n_s32((int32_t)(4 * turns)), quarter = vdupq_n_s32(1 << 30);
  int32x4_t real = vdupq_n_s32(0), imaginary = real;
  for (int64_t i = 0; i < samples; i += 4) {
    int16x4_t heard = vld1_s16(pcm + i);
    real = vsraq_n_s32(real, vmull_s16(heard, sine(vaddq_s32(phase, quarter))), 10);
    imaginary = vsraq_n_s32(imaginary, vmull_s16(heard, sine(phase)), 10);
    phase = vaddq_s32(phase, step);
  }
  int64_t a = vaddvq_s32(real), b = vaddvq_s32(imaginary);
  return (a * a + b * b) / (512 * samples);
}

static int is_tone(const int64_t *row, const int16_t *pcm, int64_t samples, int64_t whole) {
  int64_t first = tone_energy(pcm, samples, row[DETECT_LINE_TURNS]);
  if (!row[DETECT_LINE_BESIDE]) return 5 * first >= 3 * whole;
  int64_t beside = tone_energy(pcm, samples, row[DETECT_LINE_BESIDE]);
  return 5 * (first + beside) >= 3 * whole && 8 * MIN(first, beside) >= whole;
}

static void enter_pause(int64_t *row, int silent) {
  int64_t lasted = row[DETECT_LINE_TONE], pause = row[DETECT_LINE_PAUSE];
  int64_t noise = row[DETECT_LINE_NOISE];
  row[DETECT_LINE_TONE] = 0;
  if (lasted >= DETECT_SHORTEST_BURST) {
    int64_t silence = 2 * noise <= pause ? pause : 0;
    row[DETECT_LINE_BURST] =
        MIN(lasted, DETECT_LONGEST_FRAMES) << 16 | MIN(silence, DETECT_LONGEST_FRAMES);
    row[DETECT_LINE_EVENTS] = (row[DETECT_LINE_EVENTS] & ~DETECT_OVER) | DETECT_BURST;
    pause = noise = 0;
  } else {
    pause += lasted;
    noise += lasted;
  }
  row[DETECT_LINE_PAUSE] = ++pause;
  row[DETECT_LINE_NOISE] = noise + !silent;
  if (pause >= DETECT_OVER_FRAMES && row[DETECT_LINE_BURST]) {
    row[DETECT_LINE_BURST] = 0;
    row[DETECT_LINE_EVENTS] = (row[DETECT_LINE_EVENTS] & ~DETECT_BURST) | DETECT_OVER;
  }
}

static void enter_silence(int64_t *row, int silent) {
  int64_t events = row[DETECT_LINE_EVENTS], before = row[DETECT_LINE_SILENT];
  row[DETECT_LINE_SILENT] = silent ? before + 1 : 0;
  if (silent && before + 1 == DETECT_QUIET_FRAMES)
    row[DETECT_LINE_EVENTS] = (events & ~DETECT_SOUND) | DETECT_QUIET;
  if (!silent && before >= DETECT_QUIET_FRAMES)
    row[DETECT_LINE_EVENTS] = (events & ~DETECT_QUIET) | DETECT_SOUND;
}

void watch_line(int64_t *restrict row, const int16_t *restrict pcm, int64_t samples) {
  int64_t whole = energy(pcm, samples);
  int silent = level_of(whole, samples) > DETECT_SILENT_LEVEL;
  enter_silence(row, silent);
  if (!silent && is_tone(row, pcm, samples, whole))
    row[DETECT_LINE_TONE]++;
  else
    enter_pause(row, silent);
}
