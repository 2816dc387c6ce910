"""A compiler that does not count bytes: a line says so."""

from types import SimpleNamespace

import pytest

ROW = {
    **{"network": "oslo", "batch": 8, "trials": 2, "engine": "vmap", "flops_per_image": 6e7, "gflops": 10.0},
    **{"share_of_large_product": 0.5, "large_product_gflops": 20.0, "share_of_own_products": 0.8},
    **{"own_products_gflops": 12.5, "copy_gigabytes_per_second": 9.0},
}


@pytest.mark.parametrize("counted", [None, [], {}, [{}], [None], {"flops": 3.0}])
def test_without_counted_bytes_there_is_no_roofline(scripts, capsys, counted):
    roofline = scripts("roofline")
    assert roofline.counted_bytes(SimpleNamespace(cost_analysis=lambda: counted)) is None
    roofline.show(ROW | {"bytes_per_image": None, "share_of_roofline": None})
    (line,) = capsys.readouterr().out.splitlines()
    assert "unknown bytes" in line and "no roofline: the compiler does not count bytes" in line


@pytest.mark.parametrize("counted", [{"bytes accessed": 32.0}, [{"bytes accessed": 32.0}]])
def test_counted_bytes_are_read_in_either_form(scripts, capsys, counted):
    roofline = scripts("roofline")
    assert roofline.counted_bytes(SimpleNamespace(cost_analysis=lambda: counted)) == 32
    roofline.show(ROW | {"bytes_per_image": 4e6, "share_of_roofline": 0.6})
    assert "4.00 MB an image" in (line := capsys.readouterr().out) and "60% of the roofline (9 GB/s)" in line
