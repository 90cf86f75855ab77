import numpy as np

from convscope.vis.class_activation.gallery import Choice, choose


def test_photographs_are_chosen_by_hand() -> None:
    probabilities = np.array(
        [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.55, 0.45], [0.45, 0.55], [0.7, 0.3]]
    )
    labels = np.array([0, 0, 0, 0, 0, 1, 1])
    first, second = choose(probabilities, labels, 1)
    assert first == Choice(correct=[0], wrong=[3], uncertain=[4])
    assert second == Choice(correct=[5], wrong=[6], uncertain=[])
    first, second = choose(probabilities, labels, 2)
    assert first == Choice(correct=[0, 1], wrong=[3, 2], uncertain=[4])


def test_a_class_without_photographs_has_an_empty_choice() -> None:
    assert choose(np.array([[0.5, 0.5]]), np.array([0]), 3)[1] == Choice([], [], [])
