"""Two pieces of work at a time: in order, really at once, and with torch's threads as they were afterwards."""

import os
import threading

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from mmbench.two_workers import SPIN_COUNT, let_waiting_threads_sleep, one_blas_thread, two_at_a_time


@pytest.fixture(params=[1, 2, 4], autouse=True)
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    assert torch.get_num_threads() == request.param
    torch.set_num_threads(before)


def test_results_come_in_order(threads):
    def work(number):
        return number, torch.get_num_threads()

    assert list(two_at_a_time(work, range(7))) == [(number, max(threads // 2, 1)) for number in range(7)]
    assert list(two_at_a_time(work, [])) == []


def test_numpys_threads_are_halved_and_restored(threads):
    """Threads of small products wait for each other: clusters took 2.6 times as long without this."""

    def work(_):
        return _blas_threads()

    with threadpool_limits(threads, user_api="blas"):
        before = _blas_threads()
        assert list(two_at_a_time(work, range(3))) == [[max(each // 2, 1) for each in before]] * 3
        assert _blas_threads() == before


def test_small_work_has_one_thread_of_numpys_and_gives_them_back(threads):
    with threadpool_limits(threads, user_api="blas"):
        before = _blas_threads()
        with one_blas_thread():
            assert set(_blas_threads()) == {1}
        assert _blas_threads() == before


def _blas_threads():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_two_are_at_work_at_once(threads):
    if threads == 1:
        pytest.skip("one core works on one piece at a time")
    both = threading.Barrier(2, timeout=30)
    assert len(list(two_at_a_time(lambda _: both.wait(), range(4)))) == 4


def test_errors_come_after_the_results_before_them():
    def given():
        yield from (1, 2, 3)
        raise KeyError("given")

    found = []
    with pytest.raises(KeyError, match="given"):
        found.extend(two_at_a_time(lambda each: each, given()))
    assert found == [1, 2, 3]
    results = two_at_a_time(lambda each: 1 // each, (1, 1, 0, 1))
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_stops_it():
    results = two_at_a_time(lambda each: each, iter(int, 1))  # zeros without end
    assert next(results) == 0
    results.close()


def test_waiting_threads_sleep_soon_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv(SPIN_COUNT, raising=False)
    let_waiting_threads_sleep()
    assert os.environ[SPIN_COUNT] == "3000"
    monkeypatch.setenv(SPIN_COUNT, "7")
    let_waiting_threads_sleep()
    assert os.environ[SPIN_COUNT] == "7"
