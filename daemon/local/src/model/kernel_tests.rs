use super::*;

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 37 % 101) as f32 - 50.0) / 25.0).collect()
}

#[test]
fn the_exponential_is_right_over_its_whole_range() {
    for step in -8_600..8_800 {
        let x = step as f32 / 100.0;
        let (found, wanted) = (exp(x), x.exp());
        assert!((found - wanted).abs() <= 3e-6 * wanted, "e^{x}: {found} is not {wanted}");
    }
    assert!(exp(-1e30) < 1e-37);
    assert!(exp(f32::NEG_INFINITY) < 1e-37);
    assert!(exp(1e30).is_finite());
}

#[test]
fn a_softmax_sums_to_one_and_survives_large_numbers() {
    for length in [1, 5, 16, 33, 100] {
        let mut row: Vec<f32> = numbers(length).iter().map(|x| x * 1e4).collect();
        softmax(&mut row, 0.5);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{length}");
        assert!(row.iter().all(|share| (0.0..=1.0).contains(share)), "{length}");
    }
}

#[test]
fn activations_equal_their_formulas() {
    let both = numbers(80);
    let (gates, ups) = both.split_at(40);
    let check = |activation, formula: &dyn Fn(f32) -> f32| {
        let mut out = vec![0.0; 40];
        gate(activation, &both, &mut out);
        for ((g, u), out) in gates.iter().zip(ups).zip(out) {
            assert!((formula(*g) * u - out).abs() < 1e-5, "{activation:?} of {g}");
        }
    };
    check(Activation::Silu, &|g| g / (1.0 + (-g).exp()));
    check(Activation::GeluTanh, &|g| {
        let z = (2.0 / std::f32::consts::PI).sqrt() * (g + 0.044715 * g.powi(3));
        0.5 * g * (1.0 + z.tanh())
    });
}

#[test]
fn attention_of_odd_widths_equals_its_formula() {
    for width in [4, 10, 24, 64] {
        let (query, keys, values) = (numbers(width), numbers(width * 7), numbers(width * 7));
        let mut scores = vec![0.0; 7];
        let mut out = vec![0.0; width];
        attend(&query, &keys, &values, 0.3, &mut scores, &mut out);
        let dot = |key: &[f32]| key.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
        let weights: Vec<f32> = keys.chunks(width).map(|key| (dot(key) * 0.3).exp()).collect();
        let whole: f32 = weights.iter().sum();
        for i in 0..width {
            let values = values.chunks(width).zip(&weights);
            let wanted: f32 = values.map(|(value, w)| value[i] * w / whole).sum();
            assert!((out[i] - wanted).abs() < 1e-4, "width {width}: {} is not {wanted}", out[i]);
        }
    }
}

#[test]
fn rows_are_normalized_one_by_one() {
    let mut x = numbers(48);
    let weight = numbers(24);
    let wanted: Vec<f32> = x
        .chunks(24)
        .flat_map(|row| {
            let mean = row.iter().map(|x| x * x).sum::<f32>() / 24.0;
            row.iter().zip(&weight).map(move |(x, w)| x * w / (mean + 1e-6).sqrt())
        })
        .collect();
    normalize(&mut x, &weight, 1e-6);
    assert!(x.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-5));
}
