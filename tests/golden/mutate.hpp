// Seeded damage for decoders: the smoke test that runs with every build, where the fuzz targets run for hours.
#pragma once

#include <random>
#include <string>

namespace switchboard::golden {

/// One to four bytes changed, removed, doubled or cut off at the end. The same generator gives the same damage.
inline std::string mutate(std::string bytes, std::mt19937& dice) {
  for (auto count = dice() % 4 + 1; count > 0 && !bytes.empty(); --count) {
    const auto at = dice() % bytes.size();
    switch (dice() % 4) {
    case 0:
      bytes[at] = static_cast<char>(dice());
      break;
    case 1:
      bytes.erase(at, 1);
      break;
    case 2:
      bytes.insert(at, 1, bytes[at]);
      break;
    default:
      bytes.resize(at);
    }
  }
  return bytes;
}

} // namespace switchboard::golden
