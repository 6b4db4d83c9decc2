// Only the part of a frame that the crop sees goes to the GPU: what comes out is the same.
#include "elements/inference/backend_cuda/upload.hpp"

#include <cstring>
#include <vector>

#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::test;

namespace {

std::vector<float> preprocessed(const Plan& plan, const FrameView& view) {
  std::vector<float> out(static_cast<std::size_t>(3 * plan.crop_size * plan.crop_size));
  const auto preprocessor = value_of(make_preprocessor(plan, PreprocessPath::kReference));
  expect_ok(preprocessor->run(view, out));
  return out;
}

/// The staging memory, which holds something else where nothing is copied. Rows that are not inside
/// the frame's memory fail.
std::vector<std::uint8_t> staged(const Upload& upload, const std::vector<std::uint8_t>& memory,
                                 std::uint8_t poison) {
  std::vector<std::uint8_t> staging(upload.bytes, poison);
  const std::uint8_t *begin = memory.data(), *end = begin + memory.size();
  for (int p = 0; p < upload.count; ++p) {
    const Upload::Rows& rows = upload.planes[static_cast<std::size_t>(p)];
    for (std::size_t row = 0; row < rows.rows; ++row) {
      const std::uint8_t* const from = rows.from + row * rows.from_pitch;
      ck_assert(from >= begin && from + rows.bytes <= end);
      ck_assert(rows.to + row * rows.to_pitch + rows.bytes <= upload.bytes);
      std::memcpy(staging.data() + rows.to + row * rows.to_pitch, from, rows.bytes);
    }
  }
  return staging;
}

}  // namespace

START_TEST(what_is_uploaded_is_what_the_plan_reads) {
  const PixelFormatInfo& format = pixel_formats()[static_cast<std::size_t>(_i)];
  Bytes random(static_cast<unsigned>(_i));
  for (int round = 0; round < 100; ++round) {
    const OwnedFrame frame = random_frame(format.format, random, 120);
    const auto backend =
        random.between(0, 1) == 1 ? TransformsBackend::kPil : TransformsBackend::kTensor;
    const Plan plan =
        value_of(make_plan(random_recipe(random), frame.view.width, frame.view.height, backend));
    const Upload upload = plan_upload(frame.view, plan);
    const std::vector<float> expected = preprocessed(plan, frame.view);
    for (const std::uint8_t poison : {0, 0xa5}) {
      const std::vector<std::uint8_t> staging = staged(upload, frame.memory, poison);
      const std::vector<float> found = preprocessed(plan, upload.view_in(staging.data()));
      ck_assert_msg(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0,
                    "%s, round %d, %d x %d", format.name.data(), round, frame.view.width,
                    frame.view.height);
    }
  }
}
END_TEST

START_TEST(less_than_half_of_a_wide_frame_is_uploaded) {
  const FrameShape shape{.width = 1920, .height = 1080};
  const OwnedFrame frame = make_frame(PixelFormat::kNv12, shape, [] { return std::uint8_t{7}; });
  const auto bytes_of = [&](int resize_size, int crop_size) {
    Transforms recipe;
    recipe.resize_size = resize_size;
    recipe.crop_size = crop_size;
    const Upload upload = plan_upload(frame.view, value_of(make_plan(recipe, 1920, 1080)));
    std::size_t sum = 0;
    for (int p = 0; p < upload.count; ++p)
      sum += upload.planes[static_cast<std::size_t>(p)].bytes *
             upload.planes[static_cast<std::size_t>(p)].rows;
    return sum;
  };
  ck_assert_uint_lt(bytes_of(256, 224), frame.memory.size() * 45 / 100);
  // The whole height is seen, and as many columns.
  const std::size_t square = bytes_of(224, 224);
  ck_assert_uint_gt(square, frame.memory.size() / 2);
  ck_assert_uint_lt(square, frame.memory.size() * 60 / 100);
}
END_TEST

int main() {
  return run_suite(
      "upload", 120,
      Loop{what_is_uploaded_is_what_the_plan_reads, static_cast<int>(pixel_formats().size())},
      less_than_half_of_a_wide_frame_is_uploaded);
}
