// In place of cuda.cpp and cuda_device.cu in a build without nvcc.
#include "elements/preprocess/cuda.hpp"

namespace tv {

Result<std::unique_ptr<CudaPreprocessor>> make_cuda_preprocessor(Plan) {
  return Error{Code::kUnsupported,
               "this build has no CUDA kernels: preprocessing on a GPU is not available",
               "install the CUDA toolkit (nvcc) and build again with -Dcuda=enabled"};
}

}  // namespace tv
