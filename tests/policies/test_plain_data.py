"""Every keyed policy comes back from its plain data; a secret is not in them and has to be given again."""

import json

import pytest

import lbalgo as lb

SECRET = lb.SipHash(bytes(range(16)))
KEYED = [lb.Maglev, lb.RingHash, lb.Rendezvous, lb.Jump, lb.MultiProbe, lb.JumpBack, lb.StableTable]


@pytest.mark.parametrize("kind", KEYED, ids=lambda kind: kind.__name__)
def test_there_and_back(kind):
    plain, secret = kind(hasher=lb.XXH3(), seed=7), kind(hasher=SECRET)
    assert kind.from_dict(json.loads(json.dumps(plain.to_dict()))) == plain
    data = json.loads(json.dumps(secret.to_dict()))
    assert kind.from_dict(data, hasher=SECRET) == secret
    with pytest.raises(lb.ConfigError) as refused:
        kind.from_dict(data)
    assert refused.value.parameter == "hasher"
