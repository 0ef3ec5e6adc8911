"""A study on a cluster: `dask.distributed` in processes of its own, by nothing but another executor."""

import warnings

import lbalgo as lb
from lbalgo.sim import Poisson, Scenario, run, sweep, vary

BASE = Scenario(lb.Random(), 5, Poisson(4.0), duration=50.0)


def test_a_study_on_a_local_cluster():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a cluster has to say while it starts and stops is its own affair
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            found = sweep(vary(BASE, policy=[lb.Random(), lb.PowerOfTwo()]), 2, executor=client.get_executor())
    for (policy,), study in found.items():
        alone = tuple(run(BASE.but(policy=policy, seed=seed)).mean for seed in range(2))
        assert study.values["mean"] == alone
