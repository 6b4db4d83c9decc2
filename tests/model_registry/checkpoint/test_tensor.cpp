#include <limits>

#include "tests/model_registry/checkpoint/support.hpp"

namespace {

using tv::DType;
using tv::TensorView;
using tv::test::as_string;

TensorView view_of(const void* data, DType dtype, tv::Shape sizes, tv::Shape strides) {
  TensorView view;
  view.dtype = dtype;
  view.sizes = std::move(sizes);
  view.strides = std::move(strides);
  view.data = static_cast<const std::byte*>(data);
  return view;
}

START_TEST(dtype_table) {
  const struct {
    DType dtype;
    const char* name;
    std::size_t size;
  } kRows[] = {{DType::kFloat32, "float32", 4}, {DType::kFloat64, "float64", 8},
               {DType::kFloat16, "float16", 2}, {DType::kBFloat16, "bfloat16", 2},
               {DType::kInt64, "int64", 8},     {DType::kInt32, "int32", 4},
               {DType::kInt16, "int16", 2},     {DType::kInt8, "int8", 1},
               {DType::kUInt8, "uint8", 1},     {DType::kBool, "bool", 1},
               {DType::kQInt8, "qint8", 1},     {DType::kQUInt8, "quint8", 1},
               {DType::kQInt32, "qint32", 4}};
  for (const auto& row : kRows) {
    tv::test::expect_equal(std::string(tv::dtype_name(row.dtype)), row.name);
    ck_assert_uint_eq(tv::dtype_size(row.dtype), row.size);
  }
}
END_TEST

START_TEST(shape_texts) {
  tv::test::expect_equal(tv::shape_text({}), "[]");
  tv::test::expect_equal(tv::shape_text({64, 3, 7, 7}), "[64, 3, 7, 7]");
}
END_TEST

START_TEST(contiguity) {
  const char byte = 0;
  const auto contiguous = [&](tv::Shape sizes, tv::Shape strides) {
    return view_of(&byte, DType::kInt8, std::move(sizes), std::move(strides)).is_contiguous();
  };
  ck_assert(contiguous({}, {}));
  ck_assert(contiguous({2, 3}, {3, 1}));
  ck_assert(contiguous({2, 1, 3}, {3, 99, 1}));  // the stride of a dimension of one says nothing
  ck_assert(contiguous({0, 3}, {7, 7}));
  ck_assert(!contiguous({2, 3}, {1, 2}));
  ck_assert(!contiguous({2, 3}, {0, 1}));
  ck_assert(!contiguous({2}, {2}));
}
END_TEST

START_TEST(contiguous_bytes_follow_the_strides) {
  const char letters[] = "abcdefgh";
  const auto bytes = [&](DType dtype, tv::Shape sizes, tv::Shape strides) {
    return as_string(
        tv::contiguous_bytes(view_of(letters, dtype, std::move(sizes), std::move(strides))));
  };
  tv::test::expect_equal(bytes(DType::kUInt8, {2, 3}, {3, 1}), "abcdef");
  tv::test::expect_equal(bytes(DType::kUInt8, {3, 2}, {1, 3}), "adbecf");
  tv::test::expect_equal(bytes(DType::kUInt8, {2, 3}, {0, 1}), "abcabc");
  tv::test::expect_equal(bytes(DType::kUInt8, {2, 2, 2}, {1, 4, 2}), "acegbdfh");
  tv::test::expect_equal(bytes(DType::kInt16, {2, 2}, {1, 2}), "abefcdgh");
  tv::test::expect_equal(bytes(DType::kFloat32, {2, 2}, {0, 1}), "abcdefghabcdefgh");
  tv::test::expect_equal(bytes(DType::kInt64, {2}, {0}), "abcdefghabcdefgh");
  tv::test::expect_equal(bytes(DType::kUInt8, {}, {}), "a");
  tv::test::expect_equal(bytes(DType::kUInt8, {2, 0}, {1, 1}), "");
}
END_TEST

START_TEST(nonfinite_values_are_found) {
  const float kInf = std::numeric_limits<float>::infinity();
  const float kNan = std::numeric_limits<float>::quiet_NaN();
  const float kMax = std::numeric_limits<float>::max();
  const float floats[] = {0, -kMax, kNan, kMax, -kInf, std::numeric_limits<float>::denorm_min()};
  ck_assert(tv::has_nonfinite(view_of(floats, DType::kFloat32, {6}, {1})));
  ck_assert(tv::has_nonfinite(view_of(floats, DType::kFloat32, {2}, {4})));    // the infinity
  ck_assert(tv::has_nonfinite(view_of(floats + 2, DType::kFloat32, {}, {})));  // the NaN
  ck_assert(!tv::has_nonfinite(view_of(floats, DType::kFloat32, {2}, {3})));   // passes over both
  ck_assert(!tv::has_nonfinite(view_of(floats, DType::kFloat32, {0}, {1})));
  ck_assert(!tv::has_nonfinite(view_of(floats, DType::kInt32, {6}, {1})));
  const double doubles[] = {1e308, -std::numeric_limits<double>::infinity()};
  ck_assert(tv::has_nonfinite(view_of(doubles, DType::kFloat64, {2}, {1})));
  ck_assert(!tv::has_nonfinite(view_of(doubles, DType::kFloat64, {1}, {1})));
  const std::uint16_t halves[] = {0x7BFF, 0xFC00, 0x7F7F,
                                  0x7F80};  // largest half, -inf; largest bfloat16, +inf
  ck_assert(!tv::has_nonfinite(view_of(halves, DType::kFloat16, {1}, {1})));
  ck_assert(tv::has_nonfinite(view_of(halves + 1, DType::kFloat16, {1}, {1})));
  ck_assert(!tv::has_nonfinite(view_of(halves + 2, DType::kBFloat16, {1}, {1})));
  ck_assert(tv::has_nonfinite(view_of(halves + 3, DType::kBFloat16, {1}, {1})));
}
END_TEST

}  // namespace

Suite* tensor_suite() {
  return tv::test::make_suite("tensor", 60, dtype_table, shape_texts, contiguity,
                              contiguous_bytes_follow_the_strides, nonfinite_values_are_found);
}
