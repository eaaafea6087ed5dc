"""Makes obp.json: a small log, a target and reward expectations, and what the Open Bandit Pipeline makes of them.

Made with obp 0.4.1, numpy 2.4.6 on Python 3.11. The estimators used here are numpy alone; obp also imports torch for others,
for which an empty module stands in.

    python -m venv venv
    venv/bin/pip install numpy scipy scikit-learn pandas pyyaml tqdm matplotlib seaborn mypy_extensions
    venv/bin/pip install --no-deps --ignore-requires-python obp==0.4.1
    venv/bin/python make_obp.py > obp.json
"""
import json
import sys
import types


class Any(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Any(name, (), {})


class Stub(types.ModuleType):
    __getattr__ = Any.__getattr__


for name in ["torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils", "torch.utils.data"]:
    sys.modules[name] = Stub(name)

import numpy as np
from obp.ope import (DirectMethod, DoublyRobust, InverseProbabilityWeighting, SelfNormalizedInverseProbabilityWeighting)

rng = np.random.default_rng(7)
rounds, actions = 60, 4
behaviour = rng.dirichlet(np.ones(actions), size=rounds)
target = rng.dirichlet(np.ones(actions), size=rounds)
action = np.array([rng.choice(actions, p=p) for p in behaviour])
reward = rng.binomial(1, 0.2 + 0.1 * action)
expected = rng.uniform(0, 0.6, size=(rounds, actions))
pscore = behaviour[np.arange(rounds), action]

log = dict(reward=reward, action=action, position=np.zeros(rounds, int), action_dist=target[:, :, None])
model = dict(estimated_rewards_by_reg_model=expected[:, :, None])
json.dump({
    "action": action.tolist(), "propensity": pscore.tolist(), "reward": reward.tolist(),
    "target": target.tolist(), "expected": expected.tolist(),
    "ips": InverseProbabilityWeighting().estimate_policy_value(pscore=pscore, **log),
    "snips": SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(pscore=pscore, **log),
    "dr": DoublyRobust().estimate_policy_value(pscore=pscore, **log, **model),
    "dm": DirectMethod().estimate_policy_value(position=log["position"], action_dist=log["action_dist"], **model),
}, sys.stdout)
sys.stdout.write("\n")
