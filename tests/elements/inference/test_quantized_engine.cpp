// Which int8 kernels run where LibTorch lacks those of the backend's name.
#include "elements/inference/backend_cpu/quantized_engine.hpp"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>

#include "elements/inference/backend_cpu/openmp_team.hpp"
// After LibTorch: Check has macros with names that it uses.
#include "tests/suite.hpp"

using namespace tv::inference;
using namespace tv::test;
using at::QEngine;
using tv::graph::QuantizedBackend;

namespace {

struct Row {
  QuantizedBackend backend;
  std::array<QEngine, 4> order;
};
constexpr Row kRows[] = {
    {QuantizedBackend::kFbgemm, {QEngine::FBGEMM, QEngine::X86, QEngine::ONEDNN, QEngine::QNNPACK}},
    {QuantizedBackend::kQnnpack,
     {QEngine::QNNPACK, QEngine::ONEDNN, QEngine::X86, QEngine::FBGEMM}},
};

}  // namespace

// Every set of engines, in every order in which LibTorch might list them.
START_TEST(the_first_of_the_order_that_is_supported_runs) {
  const Row& row = kRows[_i];
  for (unsigned set = 1; set < 16; ++set) {
    std::vector<QEngine> supported = {QEngine::NoQEngine};
    for (unsigned i = 0; i < 4; ++i)
      if ((set >> i & 1) != 0) supported.push_back(row.order[i]);
    const QEngine expected = supported[1];
    std::ranges::sort(supported);
    do {
      ck_assert_msg(engine_for(row.backend, supported) == expected, "set %u", set);
    } while (std::ranges::next_permutation(supported).found);
  }
}
END_TEST

START_TEST(without_int8_kernels_there_is_an_error) {
  for (const std::vector<QEngine>& supported :
       {std::vector<QEngine>{}, std::vector<QEngine>{QEngine::NoQEngine}}) {
    try {
      engine_for(kRows[_i].backend, supported);
      ck_abort_msg("an engine was found");
    } catch (const c10::Error& error) {
      expect_contains(error.what(), "this LibTorch has no int8 kernels");
    }
  }
}
END_TEST

START_TEST(this_libtorch_is_asked_by_default) {
  const auto& supported = at::globalContext().supportedQEngines();
  ck_assert(engine_for(kRows[_i].backend) == engine_for(kRows[_i].backend, supported));
}
END_TEST

START_TEST(a_thread_is_without_its_team_for_a_while) {
  ck_assert(omp_get_max_threads && omp_set_num_threads);  // LibTorch has brought them
  omp_set_num_threads(3);
  {
    const WithoutOpenMpTeam kept(false);
    ck_assert_int_eq(omp_get_max_threads(), 3);
    const WithoutOpenMpTeam without(true);
    ck_assert_int_eq(omp_get_max_threads(), 1);
  }
  ck_assert_int_eq(omp_get_max_threads(), 3);
}
END_TEST

int main() {
  const auto rows = static_cast<int>(std::size(kRows));
  return run_suite(
      "quantized engine", 60, Loop{the_first_of_the_order_that_is_supported_runs, rows},
      Loop{without_int8_kernels_there_is_an_error, rows},
      Loop{this_libtorch_is_asked_by_default, rows}, a_thread_is_without_its_team_for_a_while);
}
