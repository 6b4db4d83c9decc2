// With --list: prints the builders. Without: runs models for the parity driver, by commands on
// stdin, one a line:
//   model BUILDER CLASSES [NAME=VALUE]...
//                                        builds; weights=NAME, image_size=PIXELS, own_file=true,
//                                        backend=fbgemm|qnnpack (int8), true or false for progress,
//                                        quantize and kFlags, 0..1 for kProbabilities
//   random SEED | file PATH              chooses the numbers
//   executor fused|reference [DEVICE [PRECISION]]
//                                        loads, on the CPU unless told
//   state OUT                            raw bytes of all tensors to OUT, and to stdout lines
//                                        "tensor NAME DTYPE SHAPE"
//   save OUT                             the state dict as a file for torch.load
//   run N H W IN OUT                     raw float32 pixels to raw float32 logits
//   drop                                 forgets the model
// After each command "ok" follows on stdout, or "error CODE TEXT" and the tool ends with status 1.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

#include "elements/inference/engine.hpp"
#include "model_registry/registry/registry.hpp"

namespace {

using tv::Error;
using tv::Status;
using tv::inference::Executor;

struct Session {
  tv::Model model;
  std::uint64_t seed = 0;
  std::string file;  // "": random numbers
  std::unique_ptr<tv::inference::LoadedModel> loaded;
};

template <typename T>
struct Keyword {
  std::string_view name;
  std::optional<T> tv::BuildOptions::*member;
};
constexpr Keyword<bool> kFlags[] = {
    {"aux_logits", &tv::BuildOptions::aux_logits},
    {"init_weights", &tv::BuildOptions::init_weights},
    {"pretrained", &tv::BuildOptions::pretrained},
    {"transform_input", &tv::BuildOptions::transform_input},
    {"zero_init_residual", &tv::BuildOptions::zero_init_residual},
};
constexpr Keyword<double> kProbabilities[] = {
    {"attention_dropout", &tv::BuildOptions::attention_dropout},
    {"drop_rate", &tv::BuildOptions::drop_rate},
    {"dropout", &tv::BuildOptions::dropout},
    {"dropout_aux", &tv::BuildOptions::dropout_aux},
    {"mlp_dropout", &tv::BuildOptions::mlp_dropout},
    {"stochastic_depth_prob", &tv::BuildOptions::stochastic_depth_prob},
};

Status set_option(tv::BuildOptions& options, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  const std::string value = word.substr(std::min(word.size(), name.size() + 1));
  if (name == "weights") {
    TV_ASSIGN_OR_RETURN(options.weights, tv::get_weight(value));
    return {};
  }
  if (word == "own_file=true") {
    options.own_file = true;
    return {};
  }
  if (name == "backend") {
    options.quantize = true;
    options.backend = value;
    return {};
  }
  if (name == "image_size") {
    options.image_size = std::atoi(value.c_str());
    return {};
  }
  const auto probability = std::ranges::find(kProbabilities, name, &Keyword<double>::name);
  if (probability != std::end(kProbabilities)) {
    options.*(probability->member) = std::atof(value.c_str());
    return {};
  }
  const bool given = value == "true" || value == "false";
  if (name == "progress" && given) {
    options.progress = value == "true";
    return {};
  }
  if (name == "quantize" && given) {
    options.quantize = value == "true";
    return {};
  }
  const auto flag = std::ranges::find(kFlags, name, &Keyword<bool>::name);
  if (flag == std::end(kFlags) || !given)
    return Error{tv::Code::kInvalidArgument, "no option \"" + word + "\"", ""};
  options.*(flag->member) = value == "true";
  return {};
}

Status build(Session& session, std::istream& args) {
  std::string builder;
  int classes = 0;
  args >> builder >> classes;
  tv::BuildOptions options{.num_classes = classes};
  for (std::string word; args >> word;) TV_RETURN_IF_ERROR(set_option(options, word));
  TV_ASSIGN_OR_RETURN(session.model, tv::get_model(builder, options));
  return {};
}

Status load(Session& session, std::istream& args) {
  std::string executor, device_name = "cpu", precision_name = "auto";
  args >> executor;
  if (std::string word; args >> word) device_name = word;
  if (std::string word; args >> word) precision_name = word;
  tv::inference::ModelSpec spec{
      .weights_file = session.file,
      .seed = session.seed,
      .executor = executor == "fused" ? Executor::kFused : Executor::kReference,
      .model = session.model};
  if (session.file.empty()) spec.model->weights = nullptr;  // nothing is downloaded here
  TV_ASSIGN_OR_RETURN(spec.device, tv::inference::parse_device(device_name));
  TV_ASSIGN_OR_RETURN(spec.precision, tv::inference::parse_precision(precision_name));
  session.loaded.reset();  // the largest models fit into memory once
  TV_ASSIGN_OR_RETURN(auto ready, tv::inference::load_model(spec));
  session.loaded = std::move(ready.model);
  return {};
}

Status write_state(Session& session, std::istream& args) {
  std::string path;
  args >> path;
  TV_ASSIGN_OR_RETURN(const auto state, session.loaded->state_dict());
  std::ofstream out(path, std::ios::binary);
  for (const auto& [name, view] : state) {
    const auto bytes = tv::contiguous_bytes(view);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    std::cout << "tensor " << name << " " << tv::dtype_name(view.dtype) << " "
              << tv::shape_text(view.sizes) << "\n";
  }
  return {};
}

Status save(Session& session, std::istream& args) {
  std::string path;
  args >> path;
  TV_ASSIGN_OR_RETURN(const auto state, session.loaded->state_dict());
  return tv::write_state_dict(path, state, session.model.network->module_versions());
}

Status run(Session& session, std::istream& args) {
  tv::Shape shape = {0, 3, 0, 0};
  std::string in_path, out_path;
  args >> shape[0] >> shape[2] >> shape[3] >> in_path >> out_path;
  std::vector<float> pixels(static_cast<std::size_t>(shape[0] * 3 * shape[2] * shape[3]));
  std::ifstream in(in_path, std::ios::binary);
  in.read(reinterpret_cast<char*>(pixels.data()),
          static_cast<std::streamsize>(pixels.size() * sizeof(float)));
  TV_ASSIGN_OR_RETURN(const std::vector<float> logits, session.loaded->run(pixels, shape));
  std::ofstream out(out_path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(logits.data()),
            static_cast<std::streamsize>(logits.size() * sizeof(float)));
  return {};
}

Status execute(Session& session, const std::string& command, std::istream& args) {
  if (command == "model") return build(session, args);
  if (command == "executor") return load(session, args);
  if (command == "state") return write_state(session, args);
  if (command == "save") return save(session, args);
  if (command == "run") return run(session, args);
  if (command == "drop") {
    session = {};
    return {};
  }
  if (command == "file") {
    args >> session.file;
    return {};
  }
  if (command == "random") {
    session.file.clear();
    args >> session.seed;
    return {};
  }
  return Error{tv::Code::kInvalidArgument, "no command \"" + command + "\"", ""};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const std::string_view builder : tv::available_models()) std::cout << builder << "\n";
    return 0;
  }
  Session session;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream args(line);
    std::string command;
    args >> command;
    if (const Status done = execute(session, command, args); !done) {
      std::cout << "error " << tv::code_name(done.error().code) << " " << done.error().text()
                << std::endl;
      return 1;
    }
    std::cout << "ok" << std::endl;
  }
  return 0;
}
