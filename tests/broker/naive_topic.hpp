// What a topic pattern matches, by its definition (AMQP 0-9-1, 3.1.3.3), word by word: the reference the real tables
// are held against. Exponential in '#', hence for short keys only.
#pragma once

#include <string>
#include <vector>

namespace switchboard::broker::naive {

inline std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  if (text.empty())
    return words;
  std::string::size_type from = 0;
  for (auto dot = text.find('.'); dot != text.npos; dot = text.find('.', from)) {
    words.push_back(text.substr(from, dot - from));
    from = dot + 1;
  }
  words.push_back(text.substr(from));
  return words;
}

inline bool matches(const std::vector<std::string>& pattern, std::size_t p, const std::vector<std::string>& key,
                    std::size_t k) {
  if (p == pattern.size())
    return k == key.size();
  if (pattern[p] == "#")
    return matches(pattern, p + 1, key, k) || (k < key.size() && matches(pattern, p, key, k + 1));
  return k < key.size() && (pattern[p] == "*" || pattern[p] == key[k]) && matches(pattern, p + 1, key, k + 1);
}

inline bool topic_matches(const std::string& pattern, const std::string& key) {
  return matches(split(pattern), 0, split(key), 0);
}

} // namespace switchboard::broker::naive
