use expect_test::{Expect, expect};

use super::*;

/// SmolLM2's, as its file has it.
const SMOLLM2: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// In the manner of Llama 3.1: functions that may be missing, a date, slices, filters.
const LLAMA3: &str = r#"{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{#- The system message comes first. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\n" }}
{%- endif %}
{{- "Day: " + (date_string | length | string) + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"#;

/// In the manner of Gemma 3: roles must alternate, the system's words go to the first message.
const GEMMA3: &str = r#"{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}{{ item['text'] | trim }}{%- endfor -%}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model
' }}
{%- endif -%}
"#;

/// In the manner of Gemma 2: it knows no system.
const GEMMA2: &str = "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}";

/// In the manner of Qwen 3: namespaces, reversed slices, methods of Python's strings, thinking.
const QWEN3: &str = r"{%- if tools %}
    {%- for tool in tools %}{{- tool | tojson }}{%- endfor %}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == 'user' and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == 'user') or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set content = message.content %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is defined and message.reasoning_content is not none %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- elif '</think>' in message.content %}
            {%- set content = message.content.split('</think>')[-1].lstrip('\n') %}
            {%- set reasoning_content = message.content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {{- '<|im_start|>' + message.role + '\n<think>\n' + reasoning_content.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}";

fn talk() -> Vec<Turn> {
    vec![
        Turn::new("system", "Be brief."),
        Turn::new("user", "Hi "),
        Turn::new("assistant", "Hello."),
        Turn::new("user", "Why?"),
    ]
}

fn template(source: Option<&str>, token: &str) -> Template {
    let token = token.to_owned();
    Template::new(source, |text| text == token)
}

fn check(source: Option<&str>, token: &str, turns: &[Turn], wanted: &Expect) {
    wanted.assert_eq(&template(source, token).write(turns, true, "<bos>", "<eos>").unwrap());
}

#[test]
fn smollm2_writes_chatml() {
    check(
        Some(SMOLLM2),
        "",
        &talk(),
        &expect![[r#"
        <|im_start|>system
        Be brief.<|im_end|>
        <|im_start|>user
        Hi <|im_end|>
        <|im_start|>assistant
        Hello.<|im_end|>
        <|im_start|>user
        Why?<|im_end|>
        <|im_start|>assistant
    "#]],
    );
}

#[test]
fn llama3_writes_headers() {
    check(
        Some(LLAMA3),
        "",
        &talk(),
        &expect![[r#"
        <bos><|start_header_id|>system<|end_header_id|>

        Day: 11

        Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>

        Hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>

        Hello.<|eot_id|><|start_header_id|>user<|end_header_id|>

        Why?<|eot_id|><|start_header_id|>assistant<|end_header_id|>

    "#]],
    );
}

#[test]
fn gemma3_writes_turns() {
    check(
        Some(GEMMA3),
        "",
        &talk(),
        &expect![[r#"
        <bos><start_of_turn>user
        Be brief.

        Hi<end_of_turn>
        <start_of_turn>model
        Hello.<end_of_turn>
        <start_of_turn>user
        Why?<end_of_turn>
        <start_of_turn>model
    "#]],
    );
}

#[test]
fn a_template_that_refuses_a_system_message_gets_it_in_the_first_message() {
    check(
        Some(GEMMA2),
        "",
        &talk()[..2],
        &expect![[r#"
        <bos><start_of_turn>user
        Be brief.

        Hi<end_of_turn>
        <start_of_turn>model
    "#]],
    );
}

#[test]
fn qwen3_thinks_unless_told_not_to() {
    let template = template(Some(QWEN3), "");
    assert!(template.reasons());
    let mut turns = talk();
    turns[2].content = "<think>\nHm.\n</think>\n\nHello.".to_owned();
    expect![[r#"
        <|im_start|>system
        Be brief.<|im_end|>
        <|im_start|>user
        Hi <|im_end|>
        <|im_start|>assistant
        Hello.<|im_end|>
        <|im_start|>user
        Why?<|im_end|>
        <|im_start|>assistant
    "#]]
    .assert_eq(&template.write(&turns, true, "", "").unwrap());
    let quiet = template.write(&turns, false, "", "").unwrap();
    assert!(quiet.ends_with("<|im_start|>assistant\n<think>\n\n</think>\n\n"));
}

#[test]
fn without_a_template_the_control_tokens_tell_the_form() {
    let wanted = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    let turns = [Turn::new("user", "Hi")];
    let form = |token| template(None, token).write(&turns, true, "<bos>", "").unwrap();
    assert_eq!(form("<|im_start|>"), wanted);
    assert_eq!(
        form("<start_of_turn>"),
        "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"
    );
    assert_eq!(
        form("<|start_header_id|>"),
        "<bos><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>\
         <|start_header_id|>assistant<|end_header_id|>\n\n"
    );
    assert_eq!(form(""), "<bos>User: Hi\nAssistant:");
}

#[test]
fn a_template_that_fails_gives_way_to_the_guessed_form() {
    let endless =
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
    for broken in
        ["{% nonsense %}", "{{ raise_exception('no') }}", "{{ messages.nonsense() }}", endless]
    {
        let turns = [Turn::new("user", "Hi")];
        let text = template(Some(broken), "<|im_start|>").write(&turns, true, "", "").unwrap();
        assert!(text.starts_with("<|im_start|>user\nHi"), "{broken}: {text}");
    }
}

#[test]
fn neighbors_of_one_side_are_one_turn_and_parts_become_text() {
    let text = |text: &str| Part::Text(text.to_owned());
    let message = |role, parts| Message { role, parts };
    let image = Part::Image { media_type: "image/png".to_owned(), data: [1_u8].into() };
    let result = Part::ToolResult { id: "c".into(), text: "42".to_owned(), failed: false };
    let messages = [
        message(Role::User, vec![text("Look"), image]),
        message(Role::User, vec![text("at this")]),
        message(Role::Assistant, vec![Part::Reasoning { text: "Hm".to_owned(), signature: None }]),
        message(Role::Tool, vec![result]),
        message(Role::Assistant, vec![text("A "), text("cat")]),
    ];
    let turns = turns("  ", &messages);
    assert_eq!(
        turns,
        [
            Turn::new(
                "user",
                "Look\n[an image that this model can't see]\n\nat this\n\nResult of a tool:\n42"
            ),
            Turn::new("assistant", "A cat"),
        ]
    );
}

#[test]
fn a_conversation_without_a_person_is_an_error() {
    let error = template(None, "").write(&[Turn::new("system", "x")], true, "", "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model's chat template can't be used: there is no message to answer"
    );
}
