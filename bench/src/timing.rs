use std::time::Instant;

/// How often a set of candidates is timed.
const ROUNDS: usize = 301;

/// A round lasts about this long for each candidate, in nanoseconds, so that the clock's own cost doesn't matter.
const ROUND_NANOS: f64 = 400_000.0;

/// The median time of one call of each candidate, in nanoseconds.
///
/// The candidates take turns within each round, so that a machine that slows down slows all of them.
pub(crate) fn medians<const N: usize>(mut candidates: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut repeats = [1_u32; N];
    for (candidate, repeats) in candidates.iter_mut().zip(&mut repeats) {
        // Warm up, then see how many calls fill a round.
        time(candidate, 20);
        let nanos = time(candidate, 20);
        *repeats = (ROUND_NANOS / nanos).clamp(1.0, 100_000.0) as u32;
    }
    in_turns(candidates, repeats, ROUNDS)
}

/// As [`medians`], for candidates each call of which takes many milliseconds.
pub(crate) fn medians_of_long<const N: usize>(candidates: [&mut dyn FnMut(); N]) -> [f64; N] {
    const ROUNDS: usize = 15;
    in_turns(candidates, [1; N], ROUNDS)
}

fn in_turns<const N: usize>(mut candidates: [&mut dyn FnMut(); N], repeats: [u32; N], rounds: usize) -> [f64; N] {
    let mut times = [(); N].map(|()| Vec::with_capacity(rounds));
    for _ in 0..rounds {
        for ((candidate, &repeats), times) in candidates.iter_mut().zip(&repeats).zip(&mut times) {
            times.push(time(candidate, repeats));
        }
    }
    times.map(|mut times| {
        times.sort_unstable_by(f64::total_cmp);
        times.get(rounds / 2).copied().unwrap_or(f64::NAN)
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures by the machine's clock")]
fn time(candidate: &mut dyn FnMut(), repeats: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        candidate();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(repeats)
}
