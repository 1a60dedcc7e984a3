//! Models as scripts and people see them.

use expect_test::expect;
use moltis_proto::v1::ProviderFailure;

use super::*;

fn model() -> Model {
    Model {
        id: "work/gpt-5".to_owned(),
        name: "GPT-5".to_owned(),
        context_window: 400_000,
        output_limit: 0,
        images: true,
        tools: true,
        price: Some(Price {
            input: 1_250_000,
            output: 10_000_000,
            cache_read: 125_000,
            cache_write: 0,
        }),
        ..Model::default()
    }
}

#[test]
fn the_shape_of_a_list() {
    let list = ListModelsResponse {
        models: vec![model()],
        default: "work/gpt-5".to_owned(),
        failures: vec![ProviderFailure { provider: "old".to_owned(), reason: "gone".to_owned() }],
    };
    expect![[r#"
        {
          "default": "work/gpt-5",
          "failures": [
            {
              "provider": "old",
              "reason": "gone"
            }
          ],
          "models": [
            {
              "context_window": 400000,
              "id": "work/gpt-5",
              "images": true,
              "local": false,
              "name": "GPT-5",
              "output_limit": null,
              "reasoning": false,
              "tools": true,
              "usd_per_million_tokens": {
                "cache_read": 0.125,
                "cache_write": 0.0,
                "input": 1.25,
                "output": 10.0
              }
            }
          ]
        }"#]]
    .assert_eq(&format!("{:#}", list_json(&list)));
}

#[test]
fn a_bar_says_how_far_how_fast_and_how_long() {
    let step = |done, total| Step { phase: "downloading".to_owned(), done, total, finished: false };
    expect!["downloading ███████████████░░░░░░░░░░░░░░░  50 % of 90.0 MB, 9.0 MB/s, 0:05 left"]
        .assert_eq(&bar(&step(45_000_000, 90_000_000), 9e6));
    expect!["downloading 45.0 MB"].assert_eq(&bar(&step(45_000_000, 0), 9e6));
    assert!(bar(&step(200, 100), 0.0).contains("100 %"));
}
