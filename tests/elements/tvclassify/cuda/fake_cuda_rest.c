/* What GStreamer's loader asks of a driver and no test of ours reaches: all of it is refused. */
#define REFUSE(name)                           \
  int name(void);                              \
  int name(void) {                             \
    return 801; /* CUDA_ERROR_NOT_SUPPORTED */ \
  }

REFUSE(cuCtxSynchronize)
REFUSE(cuCtxEnablePeerAccess)
REFUSE(cuCtxDisablePeerAccess)
REFUSE(cuGraphicsMapResources)
REFUSE(cuGraphicsUnmapResources)
REFUSE(cuGraphicsResourceSetMapFlags_v2)
REFUSE(cuGraphicsSubResourceGetMappedArray)
REFUSE(cuGraphicsResourceGetMappedPointer_v2)
REFUSE(cuGraphicsUnregisterResource)
REFUSE(cuGraphicsGLRegisterImage)
REFUSE(cuGraphicsGLRegisterBuffer)
REFUSE(cuGLGetDevices_v2)
REFUSE(cuMemcpyDtoD_v2)
REFUSE(cuMemcpyDtoDAsync_v2)
REFUSE(cuMemcpyDtoH_v2)
REFUSE(cuMemcpyDtoHAsync_v2)
REFUSE(cuMemcpyHtoD_v2)
REFUSE(cuMemcpyHtoDAsync_v2)
REFUSE(cuModuleLoadData)
REFUSE(cuModuleUnload)
REFUSE(cuModuleGetFunction)
REFUSE(cuTexObjectCreate)
REFUSE(cuTexObjectDestroy)
REFUSE(cuLaunchKernel)
REFUSE(cuEventSynchronize)
REFUSE(cuIpcGetEventHandle)
REFUSE(cuIpcOpenEventHandle)
REFUSE(cuIpcGetMemHandle)
REFUSE(cuIpcOpenMemHandle_v2)
REFUSE(cuIpcOpenMemHandle)
REFUSE(cuIpcCloseMemHandle)
