use super::*;
use crate::fixture::Fixture;
use crate::gguf::Tensors;
use crate::model::Model;

fn model() -> Model {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    Fixture::new("llama").write(&path);
    Model::load(&Tensors::open(&path).unwrap(), 256, &|| false).unwrap()
}

fn tokens(from: u32, count: u32) -> Vec<u32> {
    (from..from + count).collect()
}

/// Answers a prompt as the engine does; gives how many tokens were known.
fn turn(kept: &mut Kept, model: &Model, session: &str, prompt: &[u32]) -> usize {
    let mut cache = kept.take(&session.into(), prompt, model.spec());
    kept.make_room(prompt.len(), model.spec());
    let known = cache.tokens().len();
    assert_eq!(cache.tokens(), &prompt[..known]);
    model.forward(&prompt[known..], &mut cache, &|| false).unwrap();
    kept.keep(session.into(), cache, model.spec());
    known
}

#[test]
fn only_what_is_new_in_a_session_is_read() {
    let model = model();
    let mut kept = Kept::default();
    assert_eq!(turn(&mut kept, &model, "a", &tokens(0, 20)), 0);
    assert_eq!(turn(&mut kept, &model, "a", &tokens(0, 30)), 20);
    // The same once more: the last token is read again, to have its scores.
    assert_eq!(turn(&mut kept, &model, "a", &tokens(0, 30)), 29);
    // An earlier place is gone back to.
    let mut other = tokens(0, 10);
    other.extend([99; 5]);
    assert_eq!(turn(&mut kept, &model, "a", &other), 10);
}

#[test]
fn a_long_beginning_is_shared_between_sessions() {
    let model = model();
    let mut kept = Kept::default();
    turn(&mut kept, &model, "a", &tokens(0, 40));
    let mut other = tokens(0, 25);
    other.extend([200; 9]);
    assert_eq!(turn(&mut kept, &model, "b", &other), 25);
    // The one that was copied from is still whole.
    assert_eq!(turn(&mut kept, &model, "a", &tokens(0, 41)), 40);
    // A short one is not worth it.
    let mut short = tokens(0, 5);
    short.extend([100; 9]);
    assert_eq!(turn(&mut kept, &model, "c", &short), 0);
}

#[test]
fn the_session_that_was_used_longest_ago_is_forgotten() {
    let model = model();
    let mut kept = Kept::default();
    let prompts = [tokens(0, 20), tokens(50, 20), tokens(100, 20)];
    for (session, prompt) in ["a", "b", "c"].iter().zip(&prompts) {
        turn(&mut kept, &model, session, prompt);
    }
    assert_eq!(kept.states.len(), SESSIONS);
    assert_eq!(turn(&mut kept, &model, "b", &prompts[1]), 19);
    assert_eq!(turn(&mut kept, &model, "a", &prompts[0]), 0);
}

#[test]
fn states_that_take_too_much_memory_go() {
    let model = model();
    let mut kept = Kept::default();
    turn(&mut kept, &model, "a", &tokens(0, 20));
    let all = BYTES / model.spec().cache_bytes_per_token();
    kept.make_room(all, model.spec());
    assert!(kept.states.is_empty());
    // The one in use is kept whatever it takes.
    turn(&mut kept, &model, "a", &tokens(0, 20));
    assert_eq!(kept.states.len(), 1);
}
