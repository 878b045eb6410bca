"""Groups and mitigated estimators across processes: parts are found by tag, and not sent twice."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorSampler

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.dispatch import DispatchEstimator, DispatchSampler, Member, SplitShots
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnavailableError
from qdmi_qiskit.journal import journal_at
from qdmi_qiskit.mitigation import ZNE, MitigatedEstimator, MitigatedSampler, Readout, Twirl
from qdmi_qiskit.parts import indices, numbered, parts_of
from tests.lasting import Cloud, flipped


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.sqlite"


def provider(path):
    journal_at(path).flush()
    gc.collect()  # jobs of this process that nobody holds are not recalled
    return QDMIProvider(environ={"QDMI_JOURNAL": str(path)})


def sampling(clouds, path, **options):
    members = [
        Member(over=SamplerV2(cloud.backend(path)), name=name) for name, cloud in clouds.items()
    ]
    return DispatchSampler(members, SplitShots([3, 2]), **options)


PUBS = [flipped(word) for word in (1, 6)]
WORDS = [
    next(iter(pub.join_data().get_counts()))
    for pub in StatevectorSampler(seed=1).run(PUBS, shots=1).result()
]


def counts(result):
    return [pub.join_data().get_counts() for pub in result]


def test_a_dispatched_job_is_read_again_elsewhere(path):
    clouds = {"a": Cloud(), "b": Cloud()}
    job = sampling(clouds, path).run(PUBS, shots=501, tags=["mine"])
    wanted, job_id = counts(job.result()), job.job_id()
    assert wanted == [{word: 501} for word in WORDS]
    del job
    mine = provider(path)
    assert [row.id for row in mine.jobs(tag=job_id)] == [row.id for row in mine.jobs(tag="mine")]
    assert set(parts_of(mine, job_id)) == {"0:0:0-1", "0:1:0-1"}
    with pytest.raises(ConfigError, match="of a group or of mitigated values") as told:
        mine.job(job_id)
    assert all(row.id in str(told.value) for row in mine.jobs(tag=job_id))
    sent = {name: cloud.submissions for name, cloud in clouds.items()}
    group = sampling(clouds, path)
    again = group.resume(job_id, group.plan(PUBS, shots=501), provider=mine)
    assert again.job_id() == job_id
    assert counts(again.result()) == wanted
    assert {name: cloud.submissions for name, cloud in clouds.items()} == sent
    with pytest.raises(ConfigError, match="the plan of now says"):
        group.resume(job_id, group.plan(PUBS, shots=400), provider=mine)
    with pytest.raises(ConfigError, match="other pubs or members"):
        group.resume(job_id, group.plan(PUBS[:1], shots=501), provider=mine)
    with pytest.raises(ConfigError, match="knows no part of job 'nobody'"):
        group.resume("nobody", group.plan(PUBS, shots=501), provider=mine)


def test_a_dispatched_job_that_was_cut_off_sends_the_rest_alone(path):
    clouds = {"a": Cloud(), "b": Cloud()}
    group = sampling(clouds, path, move=False)

    def cut(event, shards):
        if event == "sending" and shards[0].member == 1:
            raise RuntimeError("the process ended here")

    plan = group.plan(PUBS, shots=500)
    job = group.send(plan, note=cut)
    with pytest.raises(JobFailedError):
        job.result(300)
    job_id = job.job_id()
    del job
    assert (clouds["a"].submissions, clouds["b"].submissions) == (2, 0)
    group = sampling(clouds, path)
    again = group.resume(job_id, group.plan(PUBS, shots=500), provider=provider(path))
    assert counts(again.result(300)) == [{word: 500} for word in WORDS]
    assert (clouds["a"].submissions, clouds["b"].submissions) == (2, 2)
    assert {shard.asked for shard in again.shards} == {300, 200}


def test_what_failed_in_the_meantime_is_moved(path):
    clouds = {"a": Cloud(), "b": Cloud(failing=(0,))}
    group = sampling(clouds, path, move=False)
    job = group.run(PUBS[:1], shots=500)
    with pytest.raises(JobFailedError):
        job.result(300)
    job_id = job.job_id()
    del job
    group = sampling(clouds, path)
    again = group.resume(job_id, group.plan(PUBS[:1], shots=500), provider=provider(path))
    assert counts(again.result(300)) == [{WORDS[0]: 500}]
    assert [shard.moved for shard in again.shards if shard.member == 1] == [True]
    assert clouds["a"].submissions == 2
    del again
    once_more = group.resume(job_id, group.plan(PUBS[:1], shots=500), provider=provider(path))
    assert counts(once_more.result(300)) == [{WORDS[0]: 500}]
    assert clouds["a"].submissions == 2


def turned():
    circuit = QuantumCircuit(2)
    circuit.ry(0.6, 0)
    circuit.cx(0, 1)
    return circuit


def test_a_mitigated_job_is_read_again_elsewhere(path):
    cloud = Cloud(limit=None)

    def mitigated():
        return MitigatedEstimator(
            EstimatorV2(cloud.backend(path), seed=3), [ZNE((1, 3)), Twirl(2), Readout()], seed=1
        )

    pubs = [(turned(), [["ZZ"], ["IZ"]])]
    job = mitigated().run(pubs, precision=0.02, tags=["mine"])
    wanted, job_id = job.result(300), job.job_id()
    del job
    mine = provider(path)
    assert set(parts_of(mine, job_id)) == {"calibration-0", "values"}
    assert len(mine.jobs(tag="mine")) == 2
    sent = cloud.submissions
    again = mitigated().resume(job_id, pubs, precision=0.02, provider=mine)
    assert again.job_id() == job_id
    found = again.result(300)
    np.testing.assert_array_equal(found[0].data.evs, wanted[0].data.evs)
    np.testing.assert_array_equal(found[0].data.stds, wanted[0].data.stds)
    assert cloud.submissions == sent
    other = mitigated().resume(job_id, pubs * 2, precision=0.02, provider=mine)
    with pytest.raises(ConfigError, match="not the pubs"):
        other.result(300)
    with pytest.raises(ConfigError, match="knows no part"):
        mitigated().resume("nobody", pubs, provider=mine)


def test_a_mitigated_job_that_was_cut_off_keeps_its_calibration(path):
    cloud = Cloud(limit=None)
    pubs = [(turned(), [["ZZ"], ["IZ"]])]
    cloud.refused = set(range(1, 50))  # the calibration goes out, and nothing after it
    first = MitigatedEstimator(
        EstimatorV2(cloud.backend(path), seed=3, shot_allocation="coefficients"),
        ["readout"],
        seed=1,
    )
    job = first.run(pubs, precision=0.02)
    with pytest.raises(UnavailableError, match="the cloud is full"):
        job.result(300)
    job_id = job.job_id()
    assert len(cloud.jobs) == 1
    del job
    cloud.refused = set()
    again = MitigatedEstimator(
        EstimatorV2(cloud.backend(path), seed=4, shot_allocation="coefficients"),
        ["readout"],
        seed=1,
    )
    found = again.resume(job_id, pubs, precision=0.02, provider=provider(path)).result(300)
    exact = [1.0, np.cos(0.6)]
    assert (abs(found[0].data.evs[:, 0] - exact) < 4.5 * found[0].data.stds[:, 0] + 1e-9).all()
    assert len(cloud.jobs) == 2
    names = [row.tags for row in provider(path).jobs(tag=job_id, limit=None)]
    assert sum(f"{job_id}/calibration-0" in tags for tags in names) == 1


def test_mitigated_samples_are_read_again_elsewhere(path):
    cloud = Cloud(limit=None)

    def mitigated(seed):  # other twirls in the other process: their samples count alike
        return MitigatedSampler(SamplerV2(cloud.backend(path), seed=3), [Twirl(3)], seed=seed)

    turning = turned()
    turning.measure_all()
    job = mitigated(1).run([turning, flipped(6)], shots=101, tags=["mine"])
    wanted, job_id = job.result(300), job.job_id()
    del job
    mine = provider(path)
    sent = cloud.submissions
    again = mitigated(2).resume(job_id, [turning, flipped(6)], shots=101, provider=mine)
    assert again.job_id() == job_id
    found = again.result(300)
    for then, now in zip(wanted, found, strict=True):
        assert list(then.data) == list(now.data)
        for name in then.data:
            np.testing.assert_array_equal(then.data[name].array, now.data[name].array)
        assert then.metadata == now.metadata
    assert cloud.submissions == sent
    for pubs, shots in ([turning], 101), ([flipped(6), turning], 101), ([turning, flipped(6)], 102):
        other = mitigated(1).resume(job_id, pubs, shots=shots, provider=mine)
        with pytest.raises(ConfigError, match="not of these pubs, shots or stages"):
            other.result(300)
    with pytest.raises(ConfigError, match="knows no part"):
        mitigated(1).resume("nobody", [turning], provider=mine)


def test_mitigated_samples_that_were_cut_off_send_the_rest_alone(path):
    cloud = Cloud(limit=1)
    cloud.refused = set(range(1, 50))
    job = MitigatedSampler(SamplerV2(cloud.backend(path)), [Twirl(3)], seed=1).run(
        [flipped(6)], shots=100
    )
    with pytest.raises(UnavailableError, match="the cloud is full"):
        job.result(300)
    job_id = job.job_id()
    assert len(cloud.jobs) == 1
    del job
    cloud.refused = set()
    again = MitigatedSampler(SamplerV2(cloud.backend(path)), [Twirl(3)], seed=2)
    found = again.resume(job_id, [flipped(6)], shots=100, provider=provider(path)).result(300)
    assert counts(found) == [{WORDS[1]: 100}]
    assert len(cloud.jobs) == 3


def test_mitigated_samples_of_which_some_were_discarded_are_read_again(path):
    cloud = Cloud(limit=None, discards=7)
    sampler = MitigatedSampler(SamplerV2(cloud.backend(path)), [Twirl(2)], seed=1)
    job = sampler.run([flipped(6)], shots=100)
    assert counts(job.result(300)) == [{WORDS[1]: 86}]  # 7 of each copy are lost
    job_id = job.job_id()
    del job
    again = sampler.resume(job_id, [flipped(6)], shots=100, provider=provider(path)).result(300)
    assert counts(again) == [{WORDS[1]: 86}]
    assert cloud.submissions == 1
    other = sampler.resume(job_id, [flipped(6)], shots=86, provider=provider(path))
    with pytest.raises(ConfigError, match="not of these pubs, shots or stages"):
        other.result(300)


def test_parts_of_other_kinds_are_tagged_too(path):
    cloud = Cloud(limit=None)
    inner = SamplerV2(cloud.backend(path))
    job = MitigatedSampler(inner, [Twirl(2)], seed=1).run([flipped(6)], shots=100)
    job.result(300)
    assert set(parts_of(provider(path), job.job_id())) == {"samples"}
    group = DispatchEstimator([EstimatorV2(cloud.backend(path))])
    job = MitigatedEstimator(group, ["twirl"], seed=1).run([(turned(), "IZ")], precision=0.1)
    job.result(300)  # a group within: its own parts carry both
    (row,) = provider(path).jobs(tag=job.job_id())
    assert f"{job.job_id()}/values" in row.tags


def test_indices_in_short():
    for given in ([0], [0, 1, 2, 5], [3, 4, 9, 10, 12], list(range(1000))):
        assert indices(numbered(given)) == given
    assert numbered(range(1000)) == "0-999"
