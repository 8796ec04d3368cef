"""The example that reads attention without a trainer."""

from launch.examples.read_attention import TEXT, main


def test_main__returns_ten_tokens_of_the_text_by_falling_influence(capsys):
    tokens = main("tiny")
    influences = [influence for _, influence in tokens]
    assert len(tokens) == 10
    assert influences == sorted(influences, reverse=True) and influences[-1] > 0.0
    assert all(token in TEXT for token, _ in tokens)
    assert "layers (0, 1)" in capsys.readouterr().out
