// Reads the golden files beside it: what the wire must look like, with a comment for each field.
//   *.hex   hexadecimal bytes; everything from '#' to the end of a line is a comment
//   *.text  the exact text; lines that begin with '#' are comments, the ends of lines don't count
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace switchboard::golden {

inline std::vector<std::string> lines(const std::string& name) {
  std::ifstream in{std::string{SWITCHBOARD_SOURCE_DIR} + "/tests/golden/" + name};
  if (!in)
    throw std::runtime_error{"no golden file " + name};
  std::vector<std::string> read;
  for (std::string line; std::getline(in, line);)
    read.push_back(line);
  return read;
}

inline std::string bytes(const std::string& name) {
  std::string digits;
  for (const auto& line : lines(name)) {
    for (const char c : line.substr(0, line.find('#'))) {
      if (c != ' ')
        digits += c;
    }
  }
  std::string made;
  for (std::size_t at = 0; at < digits.size(); at += 2)
    made += static_cast<char>(std::stoi(digits.substr(at, 2), nullptr, 16));
  return made;
}

inline std::string text(const std::string& name) {
  std::string made;
  for (const auto& line : lines(name)) {
    if (!line.starts_with('#'))
      made += line;
  }
  return made;
}

} // namespace switchboard::golden
