// The preprocessor behind a C interface, for the Python tests (ctypes).
#include <hwy/targets.h>

#include <cstdio>
#include <new>

#include "elements/preprocess/preprocess.hpp"

namespace {

void copy_text(const std::string& text, char* out, int size) {
  std::snprintf(out, static_cast<std::size_t>(size), "%s", text.c_str());
}

}  // namespace

extern "C" {

struct DriverRecipe {
  int crop_size, resize_size, bicubic, antialias;
  double mean[3], std[3];
  int width, height;
  int pil;        // 0 tensor, 1 pil
  int sums;       // 0 separate, 1 grouped, -1 native
  int reference;  // 0 fast, 1 reference
};

struct DriverFrame {
  int format;  // row of pixel_formats()
  int width, height, crop_x, crop_y, full_width, full_height;
  int matrix, range, horizontal_cosited, vertical_cosited;
  const unsigned char* planes[3];
  long long strides[3];
};

// A Preprocessor, or null and a text.
void* driver_make(const DriverRecipe* r, char* error, int error_size) {
  tv::Transforms recipe;
  recipe.crop_size = r->crop_size;
  recipe.resize_size = r->resize_size;
  recipe.interpolation = r->bicubic ? tv::Interpolation::kBicubic : tv::Interpolation::kBilinear;
  recipe.antialias = r->antialias != 0;
  for (std::size_t c = 0; c < 3; ++c) {
    recipe.mean[c] = r->mean[c];
    recipe.std[c] = r->std[c];
  }
  const auto backend = r->pil ? tv::TransformsBackend::kPil : tv::TransformsBackend::kTensor;
  const auto sums = r->sums < 0    ? tv::native_float_sums()
                    : r->sums == 0 ? tv::FloatSums::kSeparate
                                   : tv::FloatSums::kGrouped;
  auto plan = tv::make_plan(recipe, r->width, r->height, backend, sums);
  if (!plan) {
    copy_text(plan.error().text(), error, error_size);
    return nullptr;
  }
  auto made = tv::make_preprocessor(
      std::move(*plan), r->reference ? tv::PreprocessPath::kReference : tv::PreprocessPath::kFast);
  if (!made) {
    copy_text(made.error().text(), error, error_size);
    return nullptr;
  }
  return std::move(*made).release();
}

// 1, or 0 and a text.
int driver_run(void* made, const DriverFrame* f, float* out, long long count, char* error,
               int error_size) {
  tv::FrameView frame;
  frame.format = static_cast<tv::PixelFormat>(f->format);
  frame.width = f->width;
  frame.height = f->height;
  frame.crop_x = f->crop_x;
  frame.crop_y = f->crop_y;
  frame.full_width = f->full_width;
  frame.full_height = f->full_height;
  frame.matrix = static_cast<tv::ColorMatrix>(f->matrix);
  frame.range = static_cast<tv::ColorRange>(f->range);
  frame.chroma = {f->horizontal_cosited != 0, f->vertical_cosited != 0};
  for (std::size_t p = 0; p < 3; ++p)
    frame.planes[p] = {f->planes[p], static_cast<std::ptrdiff_t>(f->strides[p])};
  auto done =
      static_cast<tv::Preprocessor*>(made)->run(frame, {out, static_cast<std::size_t>(count)});
  if (done) return 1;
  copy_text(done.error().text(), error, error_size);
  return 0;
}

// left, right, top, bottom of the part of the frame that is read.
void driver_source_window(const void* made, int* window) {
  const tv::Plan& plan = static_cast<const tv::Preprocessor*>(made)->plan();
  window[0] = plan.source_left;
  window[1] = plan.source_right;
  window[2] = plan.source_top;
  window[3] = plan.source_bottom;
}

void driver_free(void* made) {
  delete static_cast<tv::Preprocessor*>(made);
}

// Instruction sets: what this CPU has, and a limit to some of it (0: none).
long long driver_targets() {
  return hwy::SupportedTargets();
}
void driver_limit_targets(long long targets) {
  hwy::SetSupportedTargetsForTest(targets);
}
const char* driver_target_name(long long target) {
  return hwy::TargetName(target);
}

int driver_native_sums() {
  return static_cast<int>(tv::native_float_sums());
}
}
