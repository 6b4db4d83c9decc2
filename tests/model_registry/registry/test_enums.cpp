// Every weights enum against the registry, and the conversions both ways.
#include <set>
#include <sstream>
#include <type_traits>

#include "model_registry/registry/enums.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/suite.hpp"

namespace {

using namespace tv;
using test::expect_contains;
using test::expect_equal;

struct Row {
  std::string_view name;
  std::string_view text;  // "IMAGENET1K_V1, DEFAULT = IMAGENET1K_V1"
};

constexpr Row kRows[] = {
#define TV_WEIGHTS_ENUM(Name, ...) {#Name, #__VA_ARGS__},
#include "model_registry/registry/enums.inc"
#undef TV_WEIGHTS_ENUM
};

// Enumerators count from 0 as written, so the written order must be the registry's.
START_TEST(rows_are_the_registrys) {
  ck_assert_uint_eq(std::size(kRows), 92);
  std::set<std::string_view> seen;
  std::size_t count = 0;
  for (const Row& row : kRows) {
    ck_assert(seen.insert(row.name).second);
    const auto entries = get_model_weights(row.name);
    ck_assert_msg(static_cast<bool>(entries), "no enum %s", std::string(row.name).c_str());
    std::string wanted;
    std::string_view best;
    for (const Weights* const weights : *entries) {
      wanted += std::string(weights->entry) + ", ";
      if (weights->is_default) best = weights->entry;
    }
    expect_equal(row.text, wanted + "DEFAULT = " + std::string(best));
    count += entries->size();
  }
  ck_assert_uint_eq(count, 129);
}
END_TEST

template <WeightsEnum E>
void check_conversions() {
  const auto all = entries<E>();
  ck_assert(!all.empty());
  for (const E entry : all) {
    const auto by_name = get_weight(name_of(entry));
    ck_assert(by_name && *by_name == &get_weight(entry));
    const auto again = verify<E>(name_of(entry));
    ck_assert(again && *again == entry);
    const auto short_name = verify<E>(get_weight(entry).entry);
    ck_assert(short_name && *short_name == entry);
  }
  const auto best = verify<E>("DEFAULT");
  ck_assert(best && *best == E::DEFAULT && get_weight(E::DEFAULT).is_default);
  ck_assert(!verify<E>("default"));
  ck_assert(!verify<E>(""));
}

START_TEST(every_entry_converts_both_ways) {
#define TV_WEIGHTS_ENUM(Name, ...) check_conversions<Name>();
#include "model_registry/registry/enums.inc"
#undef TV_WEIGHTS_ENUM
}
END_TEST

START_TEST(another_builders_entry_is_refused) {
  static_assert(!std::is_convertible_v<ResNet18_Weights, ResNet50_Weights>);
  static_assert(!WeightsEnum<int> && WeightsEnum<ResNet50_Weights>);
  const auto other = verify<ResNet50_Weights>("ResNet18_Weights.IMAGENET1K_V1");
  ck_assert(!other);
  expect_contains(other.error().text(), "ResNet50_Weights has no entry");
  expect_contains(other.error().text(), "IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT");
  ck_assert(other.error().code == Code::kNotFound);
  ck_assert_ptr_null(builtin_entry("ResNet50_Weights", 2));
  ck_assert_ptr_null(builtin_entry("NoSuch_Weights", 0));
}
END_TEST

}  // namespace

int main() {
  return tv::test::run_suite("enums", 30, rows_are_the_registrys, every_entry_converts_both_ways,
                             another_builders_entry_is_refused);
}
