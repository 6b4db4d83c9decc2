// Devices that this process cannot use any more. No GLib, no LibTorch.
//
// After some errors of a GPU (an illegal address, a failed assertion on the device) every further
// call fails, and CUDA asks for a new process. A backend says so once, with Code::kDeviceLost;
// everybody else of the process hears it from here.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "elements/inference/engine.hpp"
#include "model_registry/error.hpp"

namespace tv::inference {

/// Why the device ("cuda:0") is lost; nothing: it is not. DeviceLost, with what to do. Thread-safe.
std::optional<Error> lost_device(const std::string& device);

/// Marks it for the rest of the process. The first reason stays; it is returned as lost_device()
/// has it. Thread-safe.
Error lose_device(const std::string& device, const Error& why);

/// All lost devices, in the order of their names.
std::string lost_devices();

/// The model, whose backend is no longer called, not even to free it, once its device is lost; the
/// error is lost_device()'s then.
std::unique_ptr<LoadedModel> watch_device(std::unique_ptr<LoadedModel> model, std::string device);

}  // namespace tv::inference
