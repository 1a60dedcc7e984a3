use super::*;

/// A matrix that does not begin at the beginning of its store.
fn matrix(rows: usize, cols: usize) -> (Store, Matrix, Vec<f32>) {
    let plain: Vec<f32> =
        (0..rows * cols).map(|index| ((index * 7919 % 1000) as f32 - 400.0) / 300.0).collect();
    let mut store = Store::empty(plain.len() + BLOCK);
    let (quants, steps, bases) = store.parts();
    quantise(&plain, &mut quants[BLOCK..], &mut steps[1..], &mut bases[1..]);
    (store, Matrix { rows, cols, start: BLOCK }, plain)
}

#[test]
fn a_weight_is_off_by_half_a_step_at_most() {
    let (store, matrix, plain) = matrix(5, 64);
    let mut row = vec![0.0; 64];
    for (index, wanted) in plain.chunks(64).enumerate() {
        matrix.row_into(&store, index, &mut row).unwrap();
        for (found, wanted) in row.iter().zip(wanted) {
            assert!((found - wanted).abs() <= 0.51 * 3.4 / 255.0, "{found} is not {wanted}");
        }
    }
    assert!(matrix.row_into(&store, 5, &mut row).is_none());
}

#[test]
fn the_sixteen_levels_of_a_four_bit_block_are_kept_exactly() {
    let plain: Vec<f32> = (0..32).map(|index| (index % 16) as f32 * 0.037 - 0.2).collect();
    let (mut quants, mut steps, mut bases) = (vec![0; 32], vec![0.0], vec![0.0]);
    quantise(&plain, &mut quants, &mut steps, &mut bases);
    let mut back = vec![0.0; 32];
    kernel::widen(&quants, &steps, &bases, &mut back);
    assert!(plain.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn one_vector_and_many_give_the_same() {
    let (store, matrix, _) = matrix(70, 96);
    let x: Vec<f32> = (0..96 * 9).map(|index| ((index * 13 % 37) as f32 - 18.0) / 9.0).collect();
    let many = matrix.times(&store, &x).unwrap();
    for (x, wanted) in x.chunks(96).zip(many.chunks(70)) {
        let one = matrix.times(&store, x).unwrap();
        assert!(one.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-3));
    }
}

#[test]
fn a_matrix_of_several_strips_gives_the_same() {
    let (store, matrix, _) = matrix(300, 64);
    let x: Vec<f32> = (0..64 * 5).map(|index| ((index * 13 % 37) as f32 - 18.0) / 9.0).collect();
    let whole = matrix.times(&store, &x).unwrap();
    let strips = matrix.times_many(&store, &x, 5, 7 * 64).unwrap();
    assert!(strips.len() == whole.len());
    assert!(strips.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-3));
}

#[test]
fn weights_that_are_no_numbers_do_no_harm() {
    let plain = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0].repeat(8);
    let (mut quants, mut steps, mut bases) = (vec![0; 32], vec![0.0], vec![0.0]);
    quantise(&plain, &mut quants, &mut steps, &mut bases);
    assert_eq!(quants.len(), 32);
}
