use std::path::Path;

use super::*;
use crate::fixture::Fixture;

const ARCHITECTURES: [&str; 4] = ["llama", "qwen2", "qwen3", "gemma3"];

fn load(fixture: &Fixture, dir: &Path) -> Result<Model> {
    let path = dir.join("tiny.gguf");
    fixture.write(&path);
    Model::load(&Tensors::open(&path)?, 256, &|| false)
}

fn model(architecture: &str) -> Model {
    let dir = tempfile::tempdir().unwrap();
    load(&Fixture::new(architecture), dir.path()).unwrap()
}

fn tokens(count: u32) -> Vec<u32> {
    (0..count).map(|index| index * 31 % 250).collect()
}

/// The scores after all tokens, read in pieces of some lengths.
fn read(model: &Model, tokens: &[u32], pieces: &[usize]) -> Vec<f32> {
    let mut cache = Cache::new(model.spec());
    let mut rest = tokens;
    let mut scores = Vec::new();
    for length in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, more) = rest.split_at((*length).min(rest.len()));
        scores = model.forward(piece, &mut cache, &|| false).unwrap();
        rest = more;
    }
    assert_eq!(cache.tokens(), tokens);
    scores
}

fn assert_close(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-4 * largest.max(1.0), "{what}: {a} is not {b}");
    }
}

#[test]
fn reading_in_pieces_equals_reading_at_once() {
    for architecture in ARCHITECTURES {
        let model = model(architecture);
        let tokens = tokens(41);
        let whole = read(&model, &tokens, &[41]);
        assert!(whole.iter().all(|score| score.is_finite()));
        for pieces in [&[1][..], &[3], &[8], &[20, 1, 2, 9]] {
            assert_close(&whole, &read(&model, &tokens, pieces), architecture);
        }
    }
}

#[test]
fn going_on_from_a_prefix_equals_reading_afresh() {
    for architecture in ARCHITECTURES {
        let model = model(architecture);
        let first = tokens(30);
        let mut second = tokens(20);
        second.extend([9, 8, 7, 6, 5]);
        let fresh = read(&model, &second, &[25]);

        let mut cache = Cache::new(model.spec());
        model.forward(&first, &mut cache, &|| false).unwrap();
        let mut copy = cache.prefix(20);
        cache.truncate(20);
        for cache in [&mut cache, &mut copy] {
            let scores = model.forward(&second[20..], cache, &|| false).unwrap();
            assert_close(&fresh, &scores, architecture);
        }
    }
}

#[test]
fn order_and_distance_of_tokens_matter() {
    for architecture in ARCHITECTURES {
        let model = model(architecture);
        let forth = read(&model, &[1, 2, 3, 4], &[4]);
        let back = read(&model, &[3, 2, 1, 4], &[4]);
        assert!(forth.iter().zip(&back).any(|(a, b)| (a - b).abs() > 1e-3), "{architecture}");
    }
}

#[test]
fn a_window_hides_what_is_further_away() {
    // One layer that sees twelve tokens: what came before them can't matter.
    let mut fixture = Fixture::new("gemma3");
    fixture.set("gemma3.block_count", candle_core::quantized::gguf_file::Value::U32(1));
    let dir = tempfile::tempdir().unwrap();
    let model = load(&fixture, dir.path()).unwrap();
    let mut tokens = tokens(30);
    let before = read(&model, &tokens, &[30]);
    tokens[17] = 3;
    assert_close(&before, &read(&model, &tokens, &[30]), "hidden at once");
    assert_close(&before, &read(&model, &tokens, &[1]), "hidden one by one");
    tokens[18] = 3;
    let after = read(&model, &tokens, &[30]);
    assert!(before.iter().zip(&after).any(|(a, b)| (a - b).abs() > 1e-4), "18 is seen");
}

#[test]
fn a_token_that_does_not_exist_leaves_the_cache_as_it_was() {
    let model = model("llama");
    let mut cache = Cache::new(model.spec());
    model.forward(&[1, 2], &mut cache, &|| false).unwrap();
    let error = model.forward(&[3, 9_999], &mut cache, &|| false).unwrap_err();
    assert_eq!(error.to_string(), "the model's tokenizer failed: the model has no token 9999");
    assert_eq!(cache.tokens(), [1, 2]);
    assert!(model.forward(&[3], &mut cache, &|| false).is_ok());
}

#[test]
fn whoever_goes_ends_reading_the_file_and_reading_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    Fixture::new("llama").write(&path);
    let tensors = Tensors::open(&path).unwrap();
    assert!(matches!(Model::load(&tensors, 256, &|| true), Err(Error::Cancelled)));

    let model = model("llama");
    let mut cache = Cache::new(model.spec());
    model.forward(&[1, 2], &mut cache, &|| false).unwrap();
    let looks = std::sync::atomic::AtomicUsize::new(0);
    // In the middle: some layers have the new keys already.
    let gone = || looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 2;
    assert!(matches!(model.forward(&[3, 4], &mut cache, &gone), Err(Error::Cancelled)));
    assert_eq!(cache.tokens(), [1, 2]);
    let wanted = model.forward(&[3], &mut cache, &|| false).unwrap();
    let mut fresh = Cache::new(model.spec());
    model.forward(&[1, 2], &mut fresh, &|| false).unwrap();
    assert_eq!(model.forward(&[3], &mut fresh, &|| false).unwrap(), wanted);
}

/// The decoder once more, as plainly as it can be written, for the architectures' differences.
mod plain {
    use super::*;

    struct Reader<'a>(&'a Tensors);

    impl Reader<'_> {
        fn get(&self, name: &str) -> Vec<Vec<f32>> {
            let info = self.0.head().tensor(name).unwrap();
            if info.rows == 1 {
                return vec![self.0.rows(info, 0, 1).unwrap()];
            }
            // With the eight bits that weights are kept in, so that only formulas can differ.
            let mut plan = Plan::new(self.0);
            let matrix = plan.add(&[(name, info.rows)], info.cols).unwrap();
            let store = plan.read(0, &|| false).unwrap();
            let row = |index| {
                let mut row = vec![0.0; info.cols];
                matrix.row_into(&store, index, &mut row).unwrap();
                row
            };
            (0..info.rows).map(row).collect()
        }

        fn row(&self, name: &str) -> Vec<f32> {
            self.get(name).remove(0)
        }
    }

    fn times(matrix: &[Vec<f32>], x: &[f32]) -> Vec<f32> {
        matrix.iter().map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
    }

    fn norm(x: &[f32], weight: &[f32]) -> Vec<f32> {
        let mean = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
        x.iter().zip(weight).map(|(x, w)| x / (mean + 1e-5).sqrt() * w).collect()
    }

    fn turn(head: &mut [f32], position: usize, base: f32, neighbors: bool) {
        let half = head.len() / 2;
        for pair in 0..half {
            let angle = position as f32 * base.powf(-(pair as f32) / half as f32);
            let (i, j) = if neighbors { (2 * pair, 2 * pair + 1) } else { (pair, pair + half) };
            let (a, b) = (head[i], head[j]);
            head[i] = a * angle.cos() - b * angle.sin();
            head[j] = a * angle.sin() + b * angle.cos();
        }
    }

    /// The scores after the last token.
    pub(super) fn scores(tensors: &Tensors, architecture: &str, tokens: &[u32]) -> Vec<f32> {
        let r = Reader(tensors);
        let gemma = architecture == "gemma3";
        let embedding = r.get("token_embd.weight");
        let scale = if gemma { (embedding[0].len() as f32).sqrt() } else { 1.0 };
        let mut xs: Vec<Vec<f32>> = tokens
            .iter()
            .map(|token| embedding[*token as usize].iter().map(|x| x * scale).collect())
            .collect();
        for layer in 0..7 {
            let w = |part: &str| format!("blk.{layer}.{part}.weight");
            let global = !gemma || (layer + 1) % 6 == 0;
            let base = if gemma && global { 1_000_000.0 } else { 10_000.0 };
            let (mut qs, mut ks, mut vs) = (Vec::new(), Vec::new(), Vec::new());
            for (position, x) in xs.iter().enumerate() {
                let x = norm(x, &r.row(&w("attn_norm")));
                let mut all = ["attn_q", "attn_k", "attn_v"].map(|part| {
                    let mut y = times(&r.get(&w(part)), &x);
                    if architecture == "qwen2" {
                        let bias = r.row(&format!("blk.{layer}.{part}.bias"));
                        y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
                    }
                    y.chunks(32).map(<[f32]>::to_vec).collect::<Vec<_>>()
                });
                for (index, part) in ["attn_q_norm", "attn_k_norm"].iter().enumerate() {
                    for head in &mut all[index] {
                        if gemma || architecture == "qwen3" {
                            *head = norm(head, &r.row(&w(part)));
                        }
                        turn(head, position, base, architecture == "llama");
                    }
                }
                let [q, k, v] = all;
                qs.push(q);
                ks.push(k);
                vs.push(v);
            }
            for position in 0..xs.len() {
                let first = if global { 0 } else { (position + 1_usize).saturating_sub(12) };
                let mut seen = Vec::new();
                for head in 0..4 {
                    let dot = |k: &Vec<Vec<f32>>| -> f32 {
                        k[head / 2].iter().zip(&qs[position][head]).map(|(a, b)| a * b).sum()
                    };
                    let weights: Vec<f32> = ks[first..=position]
                        .iter()
                        .map(|k| (dot(k) / 32_f32.sqrt()).exp())
                        .collect();
                    let whole: f32 = weights.iter().sum();
                    for i in 0..32 {
                        let values = vs[first..=position].iter().map(|v| v[head / 2][i]);
                        seen.push(values.zip(&weights).map(|(v, w)| v * w / whole).sum::<f32>());
                    }
                }
                let mut y = times(&r.get(&w("attn_output")), &seen);
                if gemma {
                    y = norm(&y, &r.row(&w("post_attention_norm")));
                }
                let x: Vec<f32> = xs[position].iter().zip(y).map(|(x, y)| x + y).collect();
                let h = norm(&x, &r.row(&w("ffn_norm")));
                let gate = times(&r.get(&w("ffn_gate")), &h);
                let up = times(&r.get(&w("ffn_up")), &h);
                let middle: Vec<f32> = gate
                    .iter()
                    .zip(up)
                    .map(|(g, u)| match gemma {
                        true => {
                            let z =
                                (2.0 / std::f32::consts::PI).sqrt() * (g + 0.044715 * g.powi(3));
                            0.5 * g * (1.0 + z.tanh()) * u
                        }
                        false => g / (1.0 + (-g).exp()) * u,
                    })
                    .collect();
                let mut y = times(&r.get(&w("ffn_down")), &middle);
                if gemma {
                    y = norm(&y, &r.row(&w("post_ffw_norm")));
                }
                xs[position] = x.iter().zip(y).map(|(x, y)| x + y).collect();
            }
        }
        times(&embedding, &norm(xs.last().unwrap(), &r.row("output_norm.weight")))
    }
}

#[test]
fn each_architecture_equals_its_plain_description() {
    for architecture in ARCHITECTURES {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.gguf");
        Fixture::new(architecture).write(&path);
        let tensors = Tensors::open(&path).unwrap();
        let model = Model::load(&tensors, 256, &|| false).unwrap();
        let tokens = tokens(20);
        let wanted = plain::scores(&tensors, architecture, &tokens);
        let found = read(&model, &tokens, &[20]);
        let size = wanted.iter().map(|x| x * x).sum::<f32>().sqrt();
        let off = wanted.iter().zip(&found).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
        assert!(off < 1e-4 * size, "{architecture}: off by {off} of {size}");
    }
}

fn refusal(change: impl FnOnce(&mut Fixture)) -> String {
    let mut fixture = Fixture::new("llama");
    change(&mut fixture);
    let dir = tempfile::tempdir().unwrap();
    load(&fixture, dir.path()).unwrap_err().to_string()
}

#[test]
fn what_can_not_be_run_is_refused_with_the_reason() {
    use candle_core::quantized::gguf_file::Value;
    let text = |text: &str| Value::String(text.to_owned());
    let cases = [
        refusal(|f| f.set("general.architecture", text("mamba"))),
        refusal(|f| f.set("llama.expert_count", Value::U32(8))),
        refusal(|f| f.set("llama.rope.scaling.type", text("yarn"))),
        refusal(|f| f.set("llama.attention.head_count", Value::U32(0))),
        refusal(|f| f.set("llama.attention.head_count_kv", Value::U32(3))),
        refusal(|f| f.set("llama.embedding_length", Value::U32(4_000_000_000))),
        refusal(|f| f.set("llama.feed_forward_length", Value::U32(65_536))),
        refusal(|f| f.tensors.retain(|(name, _)| name != "blk.1.ffn_up.weight")),
    ];
    expect_test::expect![[r#"
        this model can't be run here: its architecture is `mamba`; `llama`, `qwen2`, `qwen3` and `gemma3` can be
        this model can't be run here: a mixture of experts
        this model can't be run here: rope scaling `yarn`
        the GGUF file is malformed: `llama.attention.head_count` is 0
        the GGUF file is malformed: its attention heads do not add up
        the GGUF file is malformed: `llama.embedding_length` is 4000000000
        the GGUF file is malformed: the tensor `blk.0.ffn_gate.weight` is 96 × 64, not 65536 × 64
        the GGUF file is malformed: the tensor `blk.1.ffn_up.weight` is missing"#]]
    .assert_eq(&cases.join("\n"));
}
