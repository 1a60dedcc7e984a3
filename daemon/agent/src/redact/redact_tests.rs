use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::{Redactor, SHORTEST};

/// 24 characters as keys have them, and a few that everything escapes.
const SECRETS: [&str; 3] =
    ["sk-7Qx2/Vb9+Lm4=Tz8wKc1Y", "p&ss \"w\\rd\"/ü€😀 with 'all'", "eight888"];

/// A form of a secret in a text, and how the text is to look: `[S]` stands for the secret.
struct Form {
    name: String,
    text: String,
    expected: String,
}

fn form(name: impl Into<String>, encoded: &str) -> Form {
    let around = |what: &str| format!("token = \"{what}\"; \u{fc}\n");
    Form { name: name.into(), text: around(encoded), expected: around("[S]") }
}

fn each(secret: &str, write: impl Fn(&mut String, u8)) -> String {
    let mut out = String::new();
    secret.bytes().for_each(|byte| write(&mut out, byte));
    out
}

/// What stands between the pieces of this many characters.
fn wrapped(text: &str, columns: usize, between: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let lines = chars.chunks(columns).map(|line| line.iter().collect::<String>());
    lines.collect::<Vec<_>>().join(between)
}

/// Base64 of longer data in which the secret lies, at each bit offset, in each alphabet, wrapped or
/// not. The characters with bits of the secret go, but for one that has two bits of it.
fn base64_forms(secret: &str, forms: &mut Vec<Form>) {
    let engines = [
        ("", STANDARD),
        ("bare", STANDARD_NO_PAD),
        ("url", URL_SAFE),
        ("bare url", URL_SAFE_NO_PAD),
    ];
    for (engine_name, engine) in engines {
        for before in 0..3 {
            for (columns, between) in [(10_000, ""), (76, "\n"), (20, "\r\n    ")] {
                let head = &"ab".repeat(30)[..57 + before];
                let text = engine.encode(format!("{head}{secret}\n"));
                let (begin, end) = (head.len() * 8, (head.len() + secret.len()) * 8);
                let from = begin / 6 + usize::from(begin % 6 == 4);
                let whole = wrapped(&text, columns, between);
                // Where a character of the unwrapped text stands in the wrapped one.
                let place = |at: usize| at + at / columns * between.len();
                let until = place(end.div_ceil(6) - 1) + 1;
                let expected = format!("{}[S]{}", &whole[..place(from)], &whole[until..]);
                let name = format!("base64 {engine_name} {before} {columns}");
                forms.push(Form { name, text: whole, expected });
            }
        }
        let alone = engine.encode(secret);
        let bare = alone.trim_end_matches('=').len();
        let mut whole = form(format!("base64 {engine_name} alone"), &alone);
        whole.expected = whole.expected.replace("[S]", &format!("[S]{}", &alone[bare..]));
        forms.push(whole);
    }
}

fn hex_forms(secret: &str, forms: &mut Vec<Form>) {
    let lower = each(secret, |out, byte| write!(out, "{byte:02x}").unwrap());
    for (case, hex) in [("lower", lower.clone()), ("upper", lower.to_uppercase())] {
        forms.push(form(format!("hex {case}"), &hex));
        // An odd digit before it: the other alignment.
        let mut odd = form(format!("hex {case} odd"), &format!("f{hex}0"));
        odd.expected = odd.expected.replace("[S]", "f[S]0");
        forms.push(odd);
        for between in [" ", ":", "-", ", ", "\n"] {
            forms.push(form(format!("hex {case} {between:?}"), &wrapped(&hex, 2, between)));
        }
        forms.push(form(format!("hex {case} dump"), &wrapped(&hex, 4, " ")));
        forms.push(form(format!("hex {case} lines"), &wrapped(&hex, 60, "\r\n")));
    }
}

fn url_forms(secret: &str, forms: &mut Vec<Form>) {
    let needed = |byte: u8| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte);
    let lower = |out: &mut String, byte: u8| write!(out, "%{byte:02x}").unwrap();
    let upper = |out: &mut String, byte: u8| write!(out, "%{byte:02X}").unwrap();
    let raw = |out: &mut String, byte: u8| out.push(char::from(byte));
    let pick =
        |yes: bool, out: &mut String, byte: u8| if yes { lower(out, byte) } else { raw(out, byte) };
    forms.push(form("percent lower", &each(secret, lower)));
    forms.push(form("percent upper", &each(secret, upper)));
    let mixed =
        each(secret, |out, byte| if byte % 2 == 0 { lower(out, byte) } else { upper(out, byte) });
    forms.push(form("percent mixed case", &mixed));
    forms.push(form(
        "percent where needed",
        &each(secret, |out, byte| pick(needed(byte), out, byte)),
    ));
    let some = each(secret, |out, byte| pick(needed(byte) || byte % 3 == 0, out, byte));
    forms.push(form("percent here and there", &some));
    let posted = each(secret, |out, byte| match byte {
        b' ' => out.push('+'),
        _ => pick(needed(byte), out, byte),
    });
    forms.push(form("a form's field", &posted));
}

fn text_forms(secret: &str, forms: &mut Vec<Form>) {
    let json = serde_json::to_string(secret).unwrap();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap();
    forms.push(form("json", json));
    forms.push(form("json with slashes", &json.replace('/', "\\/")));
    let mut units = String::new();
    secret.encode_utf16().for_each(|unit| write!(units, "\\u{unit:04x}").unwrap());
    forms.push(form("json, all of it", &units));
    forms.push(form("json, all of it, upper", &units.to_uppercase().replace("\\U", "\\u")));
    let mut ascii = String::new();
    for character in json.chars() {
        let mut units = [0; 2];
        match character {
            ' '..='~' => ascii.push(character),
            _ => character
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| write!(ascii, "\\u{unit:04x}").unwrap()),
        }
    }
    forms.push(form("json in ASCII", &ascii));
    let mut long = String::new();
    secret.chars().for_each(|c| write!(long, "\\U{:08x}", u32::from(c)).unwrap());
    forms.push(form("python, all of it", &long));
    forms.push(form("\\x lower", &each(secret, |out, byte| write!(out, "\\x{byte:02x}").unwrap())));
    forms.push(form("\\x upper", &each(secret, |out, byte| write!(out, "\\x{byte:02X}").unwrap())));
    forms.push(form("octal", &each(secret, |out, byte| write!(out, "\\{byte:03o}").unwrap())));
    let bytes = each(secret, |out, byte| match byte {
        b'"' | b'\\' => write!(out, "\\{}", char::from(byte)).unwrap(),
        b' '..=b'~' => out.push(char::from(byte)),
        _ => write!(out, "\\x{byte:02x}").unwrap(),
    });
    forms.push(form("\\x where needed", &bytes));
    let shell: String = secret
        .chars()
        .flat_map(|c| {
            Some('\\').filter(|_| c.is_ascii_punctuation() || c == ' ').into_iter().chain([c])
        })
        .collect();
    forms.push(form("a shell's word", &shell));
}

/// Forms of forms, as JSON tells of files and URLs carry tokens.
fn nested_forms(secret: &str, forms: &mut Vec<Form>) {
    let wrapped_base64 = wrapped(STANDARD_NO_PAD.encode(secret).as_str(), 19, "\n");
    let json = serde_json::to_string(&wrapped_base64).unwrap();
    forms.push(form("base64 in json", json.trim_matches('"')));
    forms.push(form("base64 in json, slashes", &json.trim_matches('"').replace('/', "\\/")));
    let percent = each(&STANDARD_NO_PAD.encode(secret), |out, byte| match byte {
        b'+' | b'/' => write!(out, "%{byte:02X}").unwrap(),
        _ => out.push(char::from(byte)),
    });
    forms.push(form("base64 in a URL", &percent));
    let hex = each(secret, |out, byte| write!(out, "{byte:02x}").unwrap());
    let json = serde_json::to_string(&wrapped(&hex, 30, "\n")).unwrap();
    forms.push(form("hex in json", json.trim_matches('"')));
}

fn forms(secret: &str) -> Vec<Form> {
    let mut forms = vec![form("plain", secret)];
    base64_forms(secret, &mut forms);
    hex_forms(secret, &mut forms);
    url_forms(secret, &mut forms);
    text_forms(secret, &mut forms);
    nested_forms(secret, &mut forms);
    forms
}

fn knowing(secret: &str) -> Redactor {
    Redactor::new([("S", secret), ("OTHER", "another-secret-of-the-owner")].into_iter())
}

fn in_pieces(redactor: &Redactor, text: &str, cuts: &[usize]) -> String {
    let (mut stream, mut out, mut from) = (redactor.stream(), String::new(), 0);
    for cut in cuts {
        let cut = text.ceil_char_boundary((*cut).clamp(from, text.len()));
        out.push_str(&stream.push(&text[from..cut]));
        from = cut;
    }
    out.push_str(&stream.push(&text[from..]));
    out + &stream.finish()
}

#[test]
fn every_form_of_a_secret_becomes_its_name() {
    for secret in SECRETS {
        let forms = forms(secret);
        assert!(forms.len() >= 64, "{}", forms.len());
        for Form { name, text, expected } in forms {
            assert_eq!(knowing(secret).redact(&text), expected, "{name} of {secret}: {text}");
        }
    }
}

#[test]
fn no_cut_lets_a_form_through() {
    for secret in SECRETS {
        let redactor = knowing(secret);
        for Form { name, text, expected } in forms(secret) {
            for cut in 0..=text.len() {
                assert_eq!(in_pieces(&redactor, &text, &[cut]), expected, "{name} at {cut}");
            }
            let single: Vec<usize> = (0..text.len()).collect();
            assert_eq!(in_pieces(&redactor, &text, &single), expected, "{name}, byte by byte");
        }
    }
}

#[test]
fn nothing_is_given_out_while_it_may_become_a_secret() {
    for secret in SECRETS {
        let redactor = knowing(secret);
        for Form { name, text, expected } in forms(secret) {
            for cut in 0..text.len() {
                let shown = redactor.stream().push(&text[..text.floor_char_boundary(cut)]);
                assert!(expected.starts_with(&shown), "{name} at {cut}: {shown}");
            }
        }
    }
}

/// The counterpart: all of these forms are leaks without the guard.
#[test]
fn without_the_secret_known_every_form_gets_through() {
    for secret in SECRETS {
        for Form { name, text, .. } in forms(secret) {
            assert_eq!(Redactor::none().redact(&text), text, "{name}");
            assert_eq!(in_pieces(&Redactor::none(), &text, &[3]), text, "{name}");
            assert_eq!(knowing("some-other-secret").redact(&text), text, "{name}");
        }
    }
}

#[test]
fn a_text_without_secrets_is_not_even_copied() {
    let text = "fn main() { println!(\"%s\\n\"); } // c2stN1F4Mg==";
    assert!(matches!(knowing(SECRETS[0]).redact(text), Cow::Borrowed(_)));
}

#[test]
fn a_secret_too_short_to_tell_from_text_is_not_looked_for() {
    let short = &"abcdefgh"[..SHORTEST - 1];
    assert_eq!(knowing(short).redact("abcdefgh"), "abcdefgh");
    assert_eq!(knowing("abcdefgh").redact("abcdefgh"), "[S]");
}

#[test]
fn secrets_that_overlap_become_one_name() {
    let secrets = [("LONG", "abcdefghijklmnop"), ("INNER", "efghijkl"), ("TAIL", "ijklmnopqrst")];
    let redactor = Redactor::new(secrets.into_iter());
    assert_eq!(redactor.redact("<abcdefghijklmnop>"), "<[LONG]>");
    assert_eq!(redactor.redact("<abcdefghijklmno>"), "<abcd[INNER]mno>");
    assert_eq!(redactor.redact("<abcdefghijklmnopqrst>"), "<[LONG]>");
    assert_eq!(redactor.redact("efghijklefghijkl"), "[INNER][INNER]");
}

#[test]
fn what_looks_like_a_secret_for_a_while_is_shown_in_the_end() {
    let mut stream = knowing("abcdefghij").stream();
    assert_eq!(stream.push("a line\nabcdef"), "a line\n");
    assert_eq!(stream.push("g"), "");
    assert_eq!(stream.push("? 100%"), "abcdefg? 100");
    assert_eq!(stream.finish(), "%");
}

#[test]
fn what_is_held_back_is_no_more_than_a_form_takes() {
    let secret = SECRETS[1];
    let redactor = knowing(secret);
    // The longest form: base64 with every character escaped, and gaps between them.
    let most = secret.len() * 4 / 3 * 6 * 17 + 12;
    let mut stream = redactor.stream();
    let (mut read, mut shown) = (0, 0);
    for Form { text, .. } in forms(secret) {
        for piece in text.split_inclusive('%') {
            shown += stream.push(piece).len();
            read += piece.len();
            assert!(stream.held.len() <= most);
        }
    }
    assert!(shown > 0 && read > shown);
    let text = "x".repeat(1 << 16) + "\n";
    assert!(stream.push(&text).len() >= text.len());
}

/// Every source of this repository.
fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, into);
        } else if [".rs", ".md", ".toml", ".proto", ".lock"].iter().any(|end| name.ends_with(end)) {
            into.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn code_is_no_secret() {
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), &mut texts);
    assert!(texts.len() > 300);
    // 64 secrets of 24 characters, by a generator that is good enough for them.
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(alphabet[usize::try_from(state % 66).unwrap()])
    };
    let secrets: Vec<String> = (0..64).map(|_| (0..24).map(|_| random()).collect()).collect();
    let redactor = Redactor::new(secrets.iter().map(|secret| ("S", secret.as_str())));
    for text in texts {
        assert!(matches!(redactor.redact(&text), Cow::Borrowed(_)), "{text}");
    }
}

proptest! {
    #[test]
    fn however_a_text_is_cut_it_is_redacted_the_same(
        pieces in prop::collection::vec(
            prop_oneof![
                "[a-zA-Z0-9%+/=\\\\ux \n\"€]{0,12}",
                (0..3_usize, 0..200_usize).prop_map(|(secret, form)| {
                    let forms = forms(SECRETS[secret]);
                    forms[form % forms.len()].text.clone()
                }),
                (0..3_usize, 0..40_usize).prop_map(|(secret, cut)| {
                    let secret = SECRETS[secret];
                    secret[..secret.floor_char_boundary(cut.min(secret.len()))].to_owned()
                }),
            ],
            0..5,
        ),
        mut cuts in prop::collection::vec(0..2_000_usize, 0..8),
    ) {
        let text = pieces.concat();
        cuts.sort_unstable();
        let names = ["A", "B", "C"];
        let redactor = Redactor::new(names.into_iter().zip(SECRETS));
        let whole = redactor.redact(&text);
        prop_assert_eq!(&in_pieces(&redactor, &text, &cuts), &whole);
        for secret in SECRETS {
            prop_assert!(!whole.contains(secret));
        }
        prop_assert_eq!(redactor.redact(&whole), whole.clone());
    }

    #[test]
    fn any_text_is_a_secret_that_is_found(
        secret in "\\PC{8,40}",
        before in "\\PC{0,20}",
        after in "\\PC{0,20}",
        cut in 0..200_usize,
    ) {
        let redactor = Redactor::new([("S", secret.as_str())].into_iter());
        for Form { name, text, .. } in forms(&secret) {
            let text = format!("{before} {text} {after}");
            let shown = in_pieces(&redactor, &text, &[cut]);
            prop_assert!(shown.contains("[S]"), "{}: {}", name, shown);
            prop_assert_eq!(redactor.redact(&text), shown);
        }
    }
}
