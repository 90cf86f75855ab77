"""The pictures over which stage 3 looks further than at single photographs."""

from collections.abc import Sequence

import numpy as np

from convscope.app.photographs import trained_on
from convscope.data import photographs
from convscope.data.manifest import SPLITS
from convscope.data.pipeline import Examples
from convscope.errors import ConvscopeError
from convscope.models.bundle import ModelBundle


def pictures_of(reference: Sequence[str], bundle: ModelBundle) -> Examples:
    """The pictures that `reference` names: splits of the model's own data set, or photographs.

    Their labels are 0: nothing here looks at them.

    Raises:
        ConvscopeError: the data set is not there any more, or a pattern names nothing.
    """
    named = [each for each in reference if each in SPLITS]
    paths = photographs.find([each for each in reference if each not in SPLITS])
    if named:
        root, records = trained_on(bundle)
        found = [root / record.path for record in records if record.split in named]
        if not found:
            raise ConvscopeError(
                f"reference={','.join(named)}: the data set that the model learned from is not there "
                f"({root}): say reference=[FOLDER]"
            )
        paths = found + paths
    return Examples(paths, np.zeros(len(paths), np.int64), bundle.contract.class_names)
