// Frames in CUDA memory on a GPU: the same answers as from system memory, with no copy through the
// CPU, in the context that LibTorch uses and in another one.
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudautils.h>
#include <gst/gst.h>

#include <cstdio>
#include <string>

#include "elements/tvclassify/cuda_driver.hpp"
#include "tests/gpu/classified.hpp"

using namespace tv;
using namespace tv::test;

namespace {

struct Both {
  Collected system, cuda;
};

/// The same pictures by way of system memory and of CUDA memory. `context`: set on the pipeline
/// before it starts; nullptr: none.
void run(const std::string& format, GstCudaContext* context, Both& both) {
  const std::string classify =
      "tvclassify model=resnet18 weights=none seed=1 device=cuda max-in-flight=8 ";
  Pipeline pipeline(
      "videotestsrc num-buffers=100 pattern=snow ! video/x-raw,width=322,height=242,"
      "format=" +
      format + ",framerate=30/1 ! tee name=t t. ! queue ! " + classify +
      "name=system ! fakesink async=false t. ! queue ! cudaupload ! " +
      "video/x-raw(memory:CUDAMemory) ! " + classify + "name=cuda ! fakesink async=false");
  pipeline.probe("system", collect, &both.system);
  pipeline.probe("cuda", collect, &both.cuda);
  if (context) {
    GstContext* const told = gst_context_new_cuda_context(context);
    gst_element_set_context(pipeline.get(), told);
    gst_context_unref(told);
  }
  pipeline.play();
  pipeline.wait_for_end(format);
}

constexpr const char* kFormats[] = {"NV12", "I420", "P010_10LE", "Y444", "RGBA", "BGRx", "RGB"};

START_TEST(answers_are_those_of_system_memory) {
  Both both;
  copies_to_cpu() = 0;
  run(kFormats[_i], nullptr, both);
  expect_same(kFormats[_i], 100, both.system, both.cuda);
  ck_assert_int_eq(copies_to_cpu(), 0);
  ck_assert_ptr_eq(both.cuda.context, primary_context(0));
}
END_TEST

START_TEST(a_context_of_somebody_else_works_too) {
  GstCudaContext* const foreign = gst_cuda_context_new(0);
  ck_assert(foreign != nullptr);
  ck_assert_ptr_ne(gst_cuda_context_get_handle(foreign), primary_context(0));
  Both both;
  copies_to_cpu() = 0;
  run("NV12", foreign, both);
  expect_same("NV12", 100, both.system, both.cuda);
  ck_assert_ptr_eq(both.cuda.context, gst_cuda_context_get_handle(foreign));
  // Read where they lie or copied on the GPU, as the driver says.
  ck_assert_int_eq(copies_to_cpu(), 0);
  gst_object_unref(foreign);
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (!gst_cuda_load_library() || !cuda_driver()) return skipped("no CUDA driver");
  if (!has_element("cudaupload"))
    return skipped("no element cudaupload: GStreamer's nvcodec has no GPU");
  setenv("CK_FORK", "no", 1);  // CUDA does not survive a fork
  watch_copies();
  return run_suite("cuda memory on a GPU", 0,
                   Loop{answers_are_those_of_system_memory, static_cast<int>(std::size(kFormats))},
                   a_context_of_somebody_else_works_too);
}
