// torchvision's entries and the user's together, with every look-up. The functions of registry.hpp
// ask the process's own catalog; tests make theirs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/registry/user_weights.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// Immutable, so safe to read from any thread. The pointers that it returns live as long as the
/// catalog.
class Catalog {
 public:
  explicit Catalog(UserWeights user);

  /// The catalog of this process, with the entries of user_weights_paths(); made on first use,
  /// never destroyed.
  static const Catalog& global();

  // See the functions of the same meaning in registry.hpp.
  Result<const Weights*> get(std::string_view name) const;
  Result<const Weights*> resolve(std::string_view name) const;
  Result<std::vector<const Weights*>> model_weights(std::string_view builder_or_enum) const;
  const std::vector<const Weights*>& all() const { return all_; }
  std::vector<std::string> nearest(std::string_view name, std::size_t count) const;
  const std::vector<Error>& user_errors() const { return user_.errors; }

 private:
  /// The entries that a name of two parts may mean; `builders` also takes a builder for the first
  /// part.
  template <typename Equal>
  std::vector<const Weights*> matches(std::string_view left, std::string_view right, bool builders,
                                      Equal equal) const;
  /// NotFound: `what`, with the nearest names, and a word about refused user files where there are
  /// some.
  Error not_found(std::string what, std::string_view name) const;

  UserWeights user_;
  std::vector<const Weights*> all_;
};

}  // namespace tv
