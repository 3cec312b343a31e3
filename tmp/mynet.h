
#include <eml_net.h>
static const float mynet_layer_0_biases[4] = { 0.529141f, 0.660601f, 0.289921f, 0.077017f };
static const float mynet_layer_0_weights[120] = { 0.349024f, -0.269689f, 0.304197f, 0.252486f, 0.196038f, -0.166020f, 0.102502f, 0.502127f, 0.687705f, -0.540956f, 0.458997f, 0.231729f, 0.348924f, -0.095750f, -0.139998f, -0.128893f, -0.421675f, 0.228812f, 0.039662f, 0.231585f, 0.348524f, 0.047323f, -0.118946f, 0.157152f, -0.019176f, -0.262356f, -0.100193f, 0.612523f, 0.293352f, -0.484586f, 0.025746f, 0.446422f, -0.046373f, -0.099146f, -0.315463f, 0.190118f, -0.323364f, 0.749760f, 0.123093f, -0.154883f, 0.190696f, -0.539013f, 0.435494f, -0.126844f, 0.104365f, 0.052036f, 0.056054f, -0.057131f, 0.105829f, -0.571630f, 0.294944f, 0.171326f, 0.685370f, -0.814754f, -0.001472f, -0.049124f, 0.217781f, 0.135283f, -0.122229f, 0.066011f, -0.199826f, -0.262127f, -0.167881f, -0.657248f, 0.075386f, -0.185032f, -0.000463f, -0.261886f, 0.452439f, -0.490193f, 0.314633f, -0.028612f, 0.209552f, 0.526266f, 0.012914f, -0.581094f, -0.300279f, -0.177318f, -0.382364f, -0.578522f, 0.160619f, -0.545734f, -0.140394f, 0.415923f, 0.445399f, -0.582964f, 0.222287f, -0.031130f, 0.359403f, -0.101645f, 0.062689f, 0.382025f, -0.021264f, -0.289257f, 0.046996f, -0.020425f, 0.436193f, -0.668776f, 0.237173f, 0.054164f, 0.184388f, -0.475115f, 0.102304f, 0.323023f, 0.109806f, -0.302930f, 0.171629f, 0.339570f, 0.029015f, -0.001967f, 0.121514f, 0.514806f, 0.410789f, -0.520619f, 0.262109f, 0.174563f, 0.068049f, -0.223598f, 0.063234f, 0.203951f };
static const float mynet_layer_1_biases[1] = { 0.720222f };
static const float mynet_layer_1_weights[4] = { -0.613260f, 0.810119f, -1.004806f, -0.862322f };
static float mynet_buf1[30];
static float mynet_buf2[30];
static const EmlNetLayer mynet_layers[2] = { 
{ 4, 30, mynet_layer_0_weights, mynet_layer_0_biases, EmlNetActivationRelu }, 
{ 1, 4, mynet_layer_1_weights, mynet_layer_1_biases, EmlNetActivationLogistic } };
static EmlNet mynet = { 2, mynet_layers, mynet_buf1, mynet_buf2, 30 };

    int32_t
    mynet_predict(const float *features, int32_t n_features)
    {
        return eml_net_predict(&mynet, features, n_features);
    }
    

    int32_t
    mynet_regress(const float *features, int32_t n_features, float *out, int32_t out_length)
    {
        return eml_net_regress(&mynet, features, n_features, out, out_length);
    }
    

    float
    mynet_regress1(const float *features, int32_t n_features)
    {
        return eml_net_regress1(&mynet, features, n_features);
    }
    