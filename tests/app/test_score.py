"""What `train.py` says about its scores."""

import numpy as np
import pytest

from convscope.app.train.score import note_constant_answer
from convscope.training.evaluate import Evaluation


@pytest.mark.parametrize(("correct", "noted"), [(38, False), (26, True)])
def test_an_accuracy_that_one_constant_answer_may_reach_is_noted(
    correct: int, noted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.arange(40) % 2
    predicted = np.where(np.arange(40) < correct, labels, 1 - labels)
    note_constant_answer(Evaluation(np.eye(2)[predicted], labels), ["cat", "dog"])
    expected = "note: this may be no better than the constant answer 'cat', which is correct for 50.0%; "
    printed = capsys.readouterr().out
    assert printed.startswith(expected) == noted
    assert "docs/" not in printed  # an installed wheel has no documents
