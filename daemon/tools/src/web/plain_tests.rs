use super::text_of;

#[test]
fn tags_go_and_blocks_are_lines() {
    for (html, text) in [
        ("a<b>b</b>c", "abc"),
        ("<p>one<p>two<br/>three", "\none\ntwo\nthree"),
        ("a <!-- <p>no --> b <? x ?> c", "a  b  c"),
        ("<SCRIPT>if (1 < 2) '</p>'</Script >after", "after"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("&lt;&#65;&#x42;&amp;amp;&nbsp;&unknown;&#99999999;&", "<AB&amp; &unknown;&#99999999;&"),
        ("cut <a href='", "cut "),
        ("<style>never ended", ""),
        ("é&é;<é>", "é&é;<é>"),
    ] {
        assert_eq!(text_of(html), text, "{html}");
    }
}
