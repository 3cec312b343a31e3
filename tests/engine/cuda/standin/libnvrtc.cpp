// A stand-in for NVRTC: compiles kernels with g++ for the simulator, into what the stand-in for the driver loads.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

const char* MAIN = R"(
extern "C" const char* simulate(void (*kernel)(const void*, int), unsigned grid, unsigned threads, size_t shared,
                                unsigned together, int order, unsigned long long seed, const void* jobs, int count) {
    return simulator::run(kernel, grid, threads, shared, together, order, seed, jobs, count);
}
)";

struct Program {
    std::string source, log, code;
};

std::string read(const std::string& path) {
    std::string text;
    if (FILE* file = fopen(path.c_str(), "rb")) {
        char part[4096];
        for (size_t count; (count = fread(part, 1, sizeof part, file)) > 0;) text.append(part, count);
        fclose(file);
    }
    return text;
}

enum { SUCCESS = 0, INVALID_INPUT = 3, INVALID_OPTION = 5, COMPILATION = 6 };

}  // namespace

extern "C" {

const char* nvrtcGetErrorString(int result) { return result == SUCCESS ? "NVRTC_SUCCESS" : "NVRTC_ERROR"; }

int nvrtcVersion(int* major, int* minor) {
    *major = 0;  // no code of a true NVRTC has this version in its name
    *minor = 1;
    return SUCCESS;
}

int nvrtcGetNumSupportedArchs(int* count) {
    *count = 2;
    return SUCCESS;
}

int nvrtcGetSupportedArchs(int* known) {
    known[0] = 75;
    known[1] = 90;
    return SUCCESS;
}

int nvrtcCreateProgram(Program** program, const char* source, const char* name, int headers, const char* const* texts,
                       const char* const* names) {
    if (!source || !name || headers || texts || names) return INVALID_INPUT;
    std::string text = source;
    if (const char* wrong = getenv("STANDIN_WRONG")) {  // "old=>new": a compiler that makes something else of a source
        const std::string rule = wrong, old = rule.substr(0, rule.find("=>"));
        const size_t at = text.find(old);
        if (at != std::string::npos) text.replace(at, old.size(), rule.substr(old.size() + 2));
    }
    *program = new Program{text, "", ""};
    return SUCCESS;
}

int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
    if (count < 1 || strcmp(options[0], "--gpu-architecture=sm_90")) return INVALID_OPTION;
    char folder[] = "/tmp/standin-nvrtc-XXXXXX";
    if (!mkdtemp(folder)) return INVALID_INPUT;
    const std::string at = folder;
    if (FILE* file = fopen((at + "/kernels.cpp").c_str(), "w")) {
        fputs((program->source + MAIN).c_str(), file);
        fclose(file);
    }
    const std::string compile = "g++ -std=c++17 -O1 -fPIC -shared -U_FORTIFY_SOURCE -fno-strict-aliasing -w ";
    int status = system((compile + at + "/kernels.cpp -o " + at + "/kernels.so 2> " + at + "/log").c_str());
    program->log = read(at + "/log");
    program->code = read(at + "/kernels.so");
    for (const char* name : {"/kernels.cpp", "/kernels.so", "/log", ""}) remove((at + name).c_str());
    return status ? COMPILATION : SUCCESS;
}

int nvrtcGetCUBINSize(Program* program, size_t* size) {
    *size = program->code.size();
    return SUCCESS;
}

int nvrtcGetCUBIN(Program* program, char* code) {
    memcpy(code, program->code.data(), program->code.size());
    return SUCCESS;
}

int nvrtcGetPTXSize(Program*, size_t*) { return INVALID_INPUT; }

int nvrtcGetPTX(Program*, char*) { return INVALID_INPUT; }

int nvrtcGetProgramLogSize(Program* program, size_t* size) {
    *size = program->log.size() + 1;
    return SUCCESS;
}

int nvrtcGetProgramLog(Program* program, char* log) {
    memcpy(log, program->log.c_str(), program->log.size() + 1);
    return SUCCESS;
}

int nvrtcDestroyProgram(Program** program) {
    delete *program;
    *program = nullptr;
    return SUCCESS;
}

}  // extern "C"
