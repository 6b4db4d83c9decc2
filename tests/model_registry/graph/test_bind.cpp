// Strict binding: what fits, and how what does not fit is told.
#include <algorithm>
#include <map>
#include <string>

#include "model_registry/models/models.hpp"
#include "tests/model_registry/graph/networks.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

/// A tensor of zeros; the bytes are shared, binding does not read them.
TensorView zeros(const Shape& shape, DType dtype) {
  static const auto kBytes = std::make_shared<std::vector<std::byte>>(std::size_t{64} << 20);
  TensorView view;
  view.dtype = dtype;
  view.sizes = shape;
  view.strides.assign(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) view.strides[i - 1] = view.strides[i] * shape[i];
  view.data = kBytes->data();
  view.storage = kBytes;
  return view;
}

/// Of quantized builders the int8 form: in float their files are those of the float builders.
std::shared_ptr<const graph::Network> network_of(std::string_view builder, int classes = 1000) {
  const bool int8 = builder.starts_with("quantized_");
  const auto model = get_model(builder, {.num_classes = classes, .quantize = int8});
  ck_assert(static_cast<bool>(model));
  return model->network;
}

/// The file that Python would have saved.
Checkpoint file_of(const graph::Network& network) {
  Checkpoint file;
  file.versions = network.module_versions();
  for (const auto& parameter : network.parameters())
    file.entries.push_back({parameter.name, {zeros(parameter.shape, parameter.dtype)}});
  return file;
}

TensorView& tensor(Checkpoint& file, std::string_view name) {
  for (auto& entry : file.entries)
    if (entry.first == name) return std::get<TensorView>(entry.second.value);
  ck_abort_msg("no tensor %s", std::string(name).c_str());
}

void remove(Checkpoint& file, std::string_view name) {
  const auto before = file.entries.size();
  std::erase_if(file.entries, [&](const auto& entry) { return entry.first == name; });
  ck_assert_uint_eq(file.entries.size(), before - 1);
}

void add_prefix(Checkpoint& file, const std::string& prefix) {
  for (auto& entry : file.entries) entry.first = prefix + entry.first;
  std::map<std::string, std::int64_t> versions;
  for (const auto& [path, version] : file.versions)
    versions[path.empty() ? prefix.substr(0, prefix.size() - 1) : prefix + path] = version;
  file.versions = std::move(versions);
}

std::string bind_error(const Checkpoint& file, const graph::Network& network) {
  const auto bound = bind_checkpoint(file, network);
  ck_assert(!bound);
  ck_assert_int_eq(static_cast<int>(bound.error().code), static_cast<int>(Code::kBadCheckpoint));
  return bound.error().text();
}

void expect_bound(const Checkpoint& file, const graph::Network& network) {
  const auto bound = bind_checkpoint(file, network);
  expect_ok(bound);
  ck_assert_uint_eq(bound->size(), network.parameters().size());
}

}  // namespace

START_TEST(a_complete_file_binds_in_the_order_of_the_network) {
  const auto network = network_of("resnet18");
  Checkpoint file = file_of(*network);
  std::reverse(file.entries.begin(), file.entries.end());
  tensor(file, "fc.weight").data += 4;
  const auto bound = graph::bind(file, *network);
  ck_assert(static_cast<bool>(bound));
  for (std::size_t i = 0; i < bound->size(); ++i)
    ck_assert((*bound)[i].sizes == network->parameters()[i].shape);
  ck_assert_ptr_eq((*bound)[bound->size() - 2].data, tensor(file, "fc.weight").data);
}
END_TEST

START_TEST(every_other_float_type_and_absent_counters_are_accepted) {
  const auto network = network_of("resnet18");
  Checkpoint file = file_of(*network);
  tensor(file, "conv1.weight").dtype = DType::kFloat16;
  tensor(file, "bn1.weight").dtype = DType::kBFloat16;
  tensor(file, "fc.bias").dtype = DType::kFloat64;
  tensor(file, "bn1.num_batches_tracked").dtype = DType::kInt32;
  remove(file, "layer1.0.bn1.num_batches_tracked");
  const auto bound = graph::bind(file, *network);
  ck_assert(static_cast<bool>(bound));
  for (std::size_t i = 0; i < bound->size(); ++i)
    ck_assert(((*bound)[i].data == nullptr) ==
              (network->parameters()[i].name == "layer1.0.bn1.num_batches_tracked"));
}
END_TEST

START_TEST(all_lists_are_told_at_once) {
  const auto network = network_of("resnet18");
  Checkpoint file = file_of(*network);
  for (const char* const name : {"conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean",
                                 "bn1.running_var", "layer4.1.conv2.weight"})
    remove(file, name);
  file.entries.push_back({"head.weight", {zeros({1}, DType::kFloat32)}});
  file.entries.push_back({"epoch", {std::int64_t{7}}});
  tensor(file, "layer1.0.bn1.weight").sizes = {65};
  tensor(file, "layer1.0.bn1.bias").dtype = DType::kQInt8;
  expect_equal(bind_error(file, *network),
               "the tensors do not fit resnet18: 6 missing: conv1.weight, bn1.weight, bn1.bias, "
               "bn1.running_mean, bn1.running_var, ...; 2 unexpected: head.weight, epoch; "
               "1 of another shape: layer1.0.bn1.weight [65], expected [64]; "
               "1 of another type: layer1.0.bn1.bias qint8, expected float32");
}
END_TEST

START_TEST(a_single_tensor_is_no_state_dict) {
  for (const char* const builder : {"squeezenet1_1", "mnasnet1_0"}) {
    Checkpoint file;
    file.entries.push_back({"", {zeros({2, 3}, DType::kFloat32)}});
    expect_contains(bind_error(file, *network_of(builder)),
                    "the file holds a single tensor [2, 3], expected a state dict (save "
                    "model.state_dict())");
    file.entries.front().first = "weight";
    const std::string text = bind_error(file, *network_of(builder));
    ck_assert_msg(text.find("a single tensor") == std::string::npos, "%s", text.c_str());
  }
}
END_TEST

START_TEST(values_that_are_no_tensors_do_not_count) {
  const auto network = network_of("squeezenet1_1");
  Checkpoint file = file_of(*network);
  file.entries.front().second.value = 1.5;
  expect_contains(bind_error(file, *network), "features.0.weight is no tensor, expected float32");
}
END_TEST

START_TEST(every_architecture_is_recognised) {
  for (const std::string_view builder : available_models()) {
    const auto own = network_of(builder);
    expect_equal(recognise_builder(file_of(*own)), builder);
    const auto fine_tuned = network_of(builder, 6);
    expect_equal(recognise_builder(file_of(*fine_tuned)), builder);
  }
  expect_equal(recognise_builder({}), "");
}
END_TEST

START_TEST(networks_with_almost_the_same_names_are_told_apart) {
  const char* const builders[] = {"alexnet",     "vgg11",       "vgg11_bn",    "vgg13",
                                  "vgg13_bn",    "vgg16",       "vgg19",       "vgg19_bn",
                                  "densenet121", "densenet161", "densenet169", "densenet201"};
  const auto vgg16_bn = network_of("vgg16_bn");
  const Checkpoint file = file_of(*vgg16_bn);
  for (const char* const builder : builders)
    expect_contains(bind_error(file, *network_of(builder)), "(the file looks like vgg16_bn)");
  // One tensor more, less or of another shape, and it is no VGG at all.
  Checkpoint more = file;
  more.entries.push_back({"features.44.weight", {zeros({512, 512, 3, 3}, DType::kFloat32)}});
  Checkpoint less = file;
  remove(less, "features.1.running_var");
  Checkpoint other = file;
  tensor(other, "classifier.0.weight").sizes = {4096, 512};
  for (const Checkpoint* const broken : {&more, &less, &other})
    expect_equal(recognise_builder(*broken), "");
}
END_TEST

START_TEST(names_of_published_densenets_are_understood) {
  const auto network = network_of("densenet121");
  Checkpoint old = file_of(*network);
  int renamed = 0;
  for (auto& [name, value] : old.entries) {
    for (const std::string_view kind : {".norm1.", ".norm2.", ".conv1.", ".conv2."}) {
      if (const auto at = name.find(kind); at != std::string::npos) {
        name.insert(at + 5, ".");
        ++renamed;
        break;
      }
    }
  }
  ck_assert_int_eq(renamed, 58 * (2 * 5 + 2));
  // The files have no counters, and torchvision knows no old name of one.
  const std::string counter = "features.denseblock1.denselayer1.norm.1.num_batches_tracked";
  expect_contains(bind_error(old, *network), "116 unexpected: " + counter);
  std::erase_if(old.entries,
                [](const auto& entry) { return entry.first.ends_with("num_batches_tracked"); });
  expect_bound(old, *network);
  expect_equal(recognise_builder(old), "densenet121");

  const std::string dotted = "features.denseblock1.denselayer1.norm.1.weight";
  for (const char* const wrong :
       {"features.denseblock1.denselayer1.norm.3.weight",
        "features.denseblock1.denselayer1.norm..1.weight",
        "features.denseblock1.denselayer1.norm.1.weight.1", "features.transition1.norm.1.weight",
        "features.denseblock1.denselayerx.norm.1.weight"}) {
    Checkpoint file = old;
    std::ranges::find(file.entries, dotted, [](const auto& entry) { return entry.first; })->first =
        wrong;
    expect_contains(bind_error(file, *network), std::string("1 unexpected: ") + wrong);
  }
  // Both names of one tensor.
  old.entries.push_back(
      {"features.denseblock1.denselayer1.norm1.weight", {zeros({64}, DType::kFloat32)}});
  expect_contains(bind_error(old, *network), "1 unexpected: ");
}
END_TEST

START_TEST(mnasnet_files_say_which_stem_they_are_for) {
  const auto today = network_of("mnasnet0_5", 6);
  Checkpoint file = file_of(*today);
  ck_assert_ptr_eq(network_of_file(file, today)->get(), today.get());
  file.versions[""] = 1;
  const auto older = value_of(network_of_file(file, today));
  ck_assert_ptr_ne(older.get(), today.get());
  ck_assert_int_eq(older->num_classes(), 6);
  ck_assert_int_eq(older->module_versions()[""], 1);
  // With the tensors of today such a file is wrong, and with its own it is right.
  expect_contains(bind_error(file, *today),
                  "layers.0.weight [16, 3, 3, 3], expected [32, 3, 3, 3]");
  Checkpoint old = file_of(*older);
  expect_bound(old, *today);
  expect_equal(recognise_builder(old), "mnasnet0_5");
  add_prefix(old, "module.");
  old.versions[""] = 1;  // the wrapper's
  expect_bound(old, *today);
  old.versions["module"] = 2;
  expect_contains(bind_error(old, *today), "layers.0.weight [32, 3, 3, 3], expected [16, 3, 3, 3]");
  // Of width 1 both are the same.
  const auto full = network_of("mnasnet1_0");
  Checkpoint same = file_of(*full);
  same.versions[""] = 1;
  expect_bound(same, *full);
  ck_assert_int_eq(value_of(network_of_file(same, full))->module_versions()[""], 2);
}
END_TEST

START_TEST(mnasnet_files_of_no_known_version_are_refused) {
  const auto network = network_of("mnasnet1_0");
  Checkpoint file = file_of(*network);
  for (const int version : {0, 3, 7, -1}) {
    file.versions[""] = version;
    expect_contains(bind_error(file, *network), "mnasnet1_0: the file is of version " +
                                                    std::to_string(version) + ", expected 1..2");
  }
  file.versions.clear();
  expect_contains(bind_error(file, *network), "does not say the version of its network");
  expect_contains(bind_error(file, *network), "save model.state_dict() itself");
  // Whoever took another builder's file is told so.
  Checkpoint other = file_of(*network_of("resnet34"));
  other.versions.clear();
  expect_contains(bind_error(other, *network), "the file looks like resnet34");
  // Other builders do not ask.
  expect_bound(other, *network_of("resnet34"));
}
END_TEST

START_TEST(another_architecture_is_named_in_the_hint) {
  expect_contains(bind_error(file_of(*network_of("resnet34")), *network_of("resnet18")),
                  "(the file looks like resnet34)");
  // same names, other shapes
  expect_contains(bind_error(file_of(*network_of("wide_resnet50_2")), *network_of("resnet50")),
                  "(the file looks like wide_resnet50_2)");
  expect_contains(bind_error(file_of(*network_of("mobilenet_v2", 7)), *network_of("resnet50")),
                  "(the file looks like mobilenet_v2)");
}
END_TEST

START_TEST(another_number_of_classes_is_named_in_the_hint) {
  struct Row {
    const char *builder, *head;
  };
  for (const Row& row : {Row{"resnet18", "fc.weight"}, Row{"mobilenet_v2", "classifier.1.weight"},
                         Row{"squeezenet1_0", "classifier.1.weight"}}) {
    const std::string text =
        bind_error(file_of(*network_of(row.builder, 6)), *network_of(row.builder));
    expect_contains(text, std::string(row.head) + " has 6 classes, the network was built for 1000");
    // what the user of the element, of the command line and of the library can do
    expect_contains(text, "its 6 categories in a user-defined entry");
    expect_contains(text, "tvmodels run and save take --num-classes 6");
    expect_contains(text, "C++ num_classes=6");
    expect_contains(text, "2 of another shape");
  }
}
END_TEST

START_TEST(a_head_of_another_width_is_no_matter_of_classes) {
  const auto network = network_of("resnet18");
  Checkpoint file = file_of(*network);
  tensor(file, "fc.weight").sizes = {6, 511};
  tensor(file, "fc.bias").sizes = {6};
  const std::string text = bind_error(file, *network);
  expect_contains(text, "fc.weight [6, 511], expected [1000, 512]");
  ck_assert(text.find("classes") == std::string::npos);
}
END_TEST

START_TEST(a_vit_file_for_other_images_is_told_so) {
  const auto small = get_model("vit_b_32", {.image_size = 96});
  const std::string text = bind_error(file_of(*small->network), *network_of("vit_b_32"));
  expect_contains(text, "encoder.pos_embedding [1, 10, 768], expected [1, 50, 768]");
  expect_contains(text, "the network was built for images of 224 pixels");
  expect_contains(text, "--image-size");
}
END_TEST

START_TEST(wrappers_around_all_names_are_taken_off) {
  const auto network = network_of("squeezenet1_1");
  for (const char* const prefix :
       {"module.", "model.", "state_dict.", "model_state_dict.", "state_dict.module."}) {
    Checkpoint file = file_of(*network);
    add_prefix(file, prefix);
    expect_bound(file, *network);
  }
}
END_TEST

START_TEST(files_of_training_scripts_are_searched_for_the_network) {
  const auto network = network_of("mnasnet1_0");
  for (const std::string prefix :
       {"model.", "state_dict.", "model_state_dict.", "model.module.", "state_dict.model."}) {
    Checkpoint file = file_of(*network);
    add_prefix(file, prefix);
    for (const char* const name : {"model_ema.module.layers.0.weight", "model_ema.n_averaged",
                                   "optimizer.state.0.momentum_buffer"})
      file.entries.push_back({name, {zeros({32}, DType::kFloat32)}});
    file.entries.insert(file.entries.begin(), {"epoch", {std::int64_t{3}}});
    expect_bound(file, *network);  // the version of the network is found, too
    expect_equal(recognise_builder(file), "mnasnet1_0");
    // What is wrong in it is told, and what lies beside it is not.
    tensor(file, prefix + "layers.0.weight").sizes = {1};
    const std::string text = bind_error(file, *network);
    expect_contains(text, "mnasnet1_0: 1 of another shape: layers.0.weight [1]");
    ck_assert_msg(text.find("unexpected") == std::string::npos, "%s", text.c_str());
  }
  // Of two networks the first name of the list counts; a network at the root is the file's.
  Checkpoint two = file_of(*network), other = file_of(*network_of("squeezenet1_1"));
  add_prefix(two, "model.");
  add_prefix(other, "state_dict.");
  two.entries.insert(two.entries.begin(), other.entries.begin(), other.entries.end());
  expect_bound(two, *network);
  Checkpoint root = file_of(*network);
  root.entries.push_back({"model.layers.0.weight", {zeros({32}, DType::kFloat32)}});
  expect_contains(bind_error(root, *network), "1 unexpected: model.layers.0.weight");
}
END_TEST

START_TEST(other_wrappers_and_partial_ones_are_refused) {
  const auto network = network_of("squeezenet1_1");
  Checkpoint foreign = file_of(*network);
  add_prefix(foreign, "backbone.");
  expect_contains(bind_error(foreign, *network), "52 unexpected: backbone.features.0.weight");
  expect_contains(bind_error(foreign, *network),
                  "(all names begin with \"backbone.\": save the state dict of that part, "
                  "model.backbone.state_dict())");
  add_prefix(foreign, "model.net.");
  expect_contains(bind_error(foreign, *network), "all names begin with \"net.backbone.\"");
  foreign.entries.push_back({"model.head.weight", {zeros({1}, DType::kFloat32)}});
  const std::string parts = bind_error(foreign, *network);
  ck_assert_msg(parts.find("all names") == std::string::npos, "%s", parts.c_str());
  Checkpoint half = file_of(*network);
  half.entries.back().first = "module." + half.entries.back().first;
  expect_contains(bind_error(half, *network), "1 missing: classifier.1.bias");
}
END_TEST

START_TEST(tensors_of_removed_children_are_accepted_and_not_needed) {
  const auto network = sketch(
      [](SketchModule& m, graph::Build& build) {
        m.add_removed("aux", std::make_unique<nn::Linear>(build, 2, 3));
        m.make<nn::Linear>("fc", build, 2, 3);
        return [](graph::Value x) { return x; };
      },
      3);
  Checkpoint file = file_of(network);
  expect_bound(file, network);
  file.entries.push_back({"aux.weight", {zeros({3, 2}, DType::kFloat32)}});
  expect_bound(file, network);
  tensor(file, "aux.weight").sizes = {2, 3};
  expect_contains(bind_error(file, network), "aux.weight [2, 3], expected [3, 2]");
}
END_TEST

START_TEST(an_empty_file_is_all_missing) {
  expect_contains(bind_error({}, *network_of("resnet18")), "102 missing: conv1.weight");
}
END_TEST

int main() {
  return run_suite(
      "bind", 60, a_complete_file_binds_in_the_order_of_the_network,
      every_other_float_type_and_absent_counters_are_accepted, all_lists_are_told_at_once,
      values_that_are_no_tensors_do_not_count, a_single_tensor_is_no_state_dict,
      every_architecture_is_recognised, networks_with_almost_the_same_names_are_told_apart,
      names_of_published_densenets_are_understood, mnasnet_files_say_which_stem_they_are_for,
      mnasnet_files_of_no_known_version_are_refused, another_architecture_is_named_in_the_hint,
      another_number_of_classes_is_named_in_the_hint,
      a_head_of_another_width_is_no_matter_of_classes, a_vit_file_for_other_images_is_told_so,
      wrappers_around_all_names_are_taken_off,
      files_of_training_scripts_are_searched_for_the_network,
      other_wrappers_and_partial_ones_are_refused,
      tensors_of_removed_children_are_accepted_and_not_needed, an_empty_file_is_all_missing);
}
