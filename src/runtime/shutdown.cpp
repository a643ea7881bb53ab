#include "runtime/shutdown.hpp"

#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

constexpr std::size_t blockers_named_max = 10;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names)
    text.append(text.empty() ? "" : ",").append(name);
  return text;
}

phase_report run_one(const shutdown_phase& phase, const directory& who) {
  const auto begun = std::chrono::steady_clock::now();
  phase_report report;
  report.name = phase.name;
  report.in_time = phase.run(phase.most);
  report.took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
  if (!report.in_time)
    for (const auto& row : who.list(phase.blockers, blockers_named_max))
      report.blocked_by.push_back(row.path);
  return report;
}

} // namespace

std::vector<phase_report> run_phases(const std::vector<shutdown_phase>& phases, const directory& who) {
  std::vector<phase_report> reports;
  for (const auto& phase : phases) {
    reports.push_back(run_one(phase, who));
    const auto& report = reports.back();
    if (report.in_time)
      log::info("shutdown_phase", {{"phase", report.name}, {"took_ms", report.took.count()}});
    else
      log::warning("shutdown_blocked",
                   {{"phase", report.name}, {"took_ms", report.took.count()}, {"who", joined(report.blocked_by)}});
  }
  return reports;
}

} // namespace switchboard::runtime
