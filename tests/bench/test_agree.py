"""Parsing the output of two different load generators."""

from bench.agree import numbers


def test_key_value_pairs_and_json_are_parsed_alike() -> None:
    pairs = "clients=200 deliveries=499800 p50_us=1218 secs=5.00 closed=0\n"
    document = '{"clients":200,"deliveries":499800,"p50_us":1218.000,"secs":5.0,"closed":0}\n'
    assert numbers(pairs) == numbers(document)
    assert numbers(pairs)["p50_us"] == 1218
