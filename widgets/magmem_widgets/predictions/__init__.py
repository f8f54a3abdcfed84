"""Questions in a notebook that take the guess before they show the answer.

``%load_ext magmem_widgets`` gives a notebook ``%%predict``, ``%ask``, ``%again``, ``%ten`` and
``%learnt``; `Prediction` is the widget behind them.
"""

from magmem_widgets.predictions.magic import load_ipython_extension
from magmem_widgets.predictions.prediction import Prediction, PredictionView
from magmem_widgets.predictions.series import Learnt, Series

__all__ = ["Learnt", "Prediction", "PredictionView", "Series", "load_ipython_extension"]
