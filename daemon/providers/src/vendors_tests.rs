use std::collections::HashSet;

use super::{VENDORS, at_address, find, nearest};

#[test]
fn the_table_is_in_order() {
    let mut names = HashSet::new();
    for vendor in VENDORS {
        assert!(names.insert(vendor.name), "{} is there twice", vendor.name);
        assert_eq!(vendor.dialect.base_url(vendor.base_url), vendor.base_url, "{}", vendor.name);
        assert!(vendor.base_url_env.ends_with("_BASE_URL"), "{}", vendor.name);
        assert!(!vendor.key_envs.is_empty(), "{}", vendor.name);
        assert_eq!(vendor.needs_key, !vendor.local, "{}", vendor.name);
        assert!(vendor.local || vendor.base_url.starts_with("https://"), "{}", vendor.name);
    }
}

#[test]
fn vendors_are_found_by_name_nearly_and_by_address() {
    assert!(find("anthropic").is_some() && find("nobody").is_none());
    assert_eq!(nearest("antropic"), Some("anthropic"));
    assert_eq!(nearest("opnai"), Some("openai"));
    assert_eq!(nearest("zzz"), None);
    assert_eq!(at_address("https://api.deepseek.com/v1").unwrap().name, "deepseek");
    assert!(at_address("http://127.0.0.1:8000/v1").is_none());
    assert!(at_address("https://proxy.example/v1").is_none());
}
