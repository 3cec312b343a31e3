BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'drawn');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
INSERT INTO "study_directions" VALUES(2,'MINIMIZE',1,1);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["error", "inference_time"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'nas:study','{"format": 1, "id": "4710c37a203f4742b7ff97c1e0db4d84", "objectives": ["error", "inference_time"], "error_reference": 1.5845915079116821, "error_metric": "val_score", "seed": 0, "job": {"job": {"version": 1, "data": {"source": "diabetes", "target": null, "drop": [], "keep": [], "kinds": {}, "missing": [], "ramps": "auto", "task": "auto", "encoding": "auto", "separator": "auto", "decimal": "auto", "header": "auto", "validation": 0.15, "test": 0.2, "standardise": "auto", "standardise_targets": null, "period": null, "channels": null, "pixels": null, "split": "auto", "group": null, "time": null, "samples": 60, "class_weight": null, "seed": 0}, "space": {"name": "manifold", "options": {"n_computational": [3, 4]}}, "search": {"strategy": "random", "trials": 3, "objectives": ["error", "inference_time"], "scorer": null, "constraints": [], "budget_minutes": null, "budget_steps": null, "stop": "budget", "least_gain": 0.003, "halving": {"keep": 0.5, "rule": "rank", "startup": 8, "window": 100, "pruner": null}, "baselines": false, "seed": 0, "group": null, "options": {}}, "training": {"steps": 20, "batch_size": 8, "inference_batch": 16, "optimizer": "adamw", "learning_rate": 0.005, "schedule": "cosine", "warmup": 0.0, "weight_decay": 0.0, "input_noise": 0.0, "final_input_noise": null, "input_shift": 0.0, "input_dropout": 0.0, "activation": "leaky_relu", "parametrisation": "masked", "closeness": "gauss_wave", "precision": "float", "readout": "activated", "on_lost_output": "regrow", "structure_until": 1.0, "losses": {"objective": 1.0, "flow": 1e-10, "sparsity": 0.1, "time": 0.0, "memory": 0.0, "temperature": 0.5, "final_temperature": 0.005}, "sparsify": null, "latency": false, "log_every": 10, "evaluate_every": null, "rungs": []}, "resources": {"executor": "serial", "workers": null, "threads": 1, "gpus": 0.0, "device": "auto", "address": null, "trial_minutes": 120.0}, "tracking": {"experiment": "drawn", "store": "nas-runs", "storage": "sqlite:///studies.db", "mlflow": false, "mlflow_uri": null, "champion": "best", "model": null, "animation": false}}, "task": "regression", "period": null, "feature_names": ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"], "columns": {"named": false, "kinds": [], "low": [-0.1072256316073538, -0.044641636506989144, -0.08380842345522464, -0.09862739864068745, -0.12678066991651324, -0.10684490904929198, -0.07653558588880739, -0.0763945037500033, -0.07409260794346935, -0.05906719430814835], "high": [0.06713621404157838, 0.05068011873981862, 0.10480868947391528, 0.10794365991026823, 0.08924392882106273, 0.10766178727653941, 0.10018302870736581, 0.10811110062954676, 0.07020738137223513, 0.11904340302973325], "targets": [], "left_out": [], "labels": "integer"}, "statistics": {"mean": [-0.0044899928515994185, -0.00797942295052463, 0.004489257981933152, 0.009719121569288806, -0.006296592717620226, -0.0019963804839651426, -0.004790849193779806, -0.004427856216113161, -0.0037500736697924563, 0.0009402520221456917], "scale": [0.044030269194876244, 0.04637443956077203, 0.04399024450327933, 0.04975229418462922, 0.04922738371296982, 0.04754179117193097, 0.03788526253612605, 0.04472130168680026, 0.04111865302300946, 0.03805414777381798], "target_mean": [167.17948717948718], "target_scale": [65.14042889527279], "classes": []}, "fingerprint": {"version": 1, "rows": 442, "names": ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"], "columns": ["44f98a8e63804e0b", "6ef60d014bf9662c", "30b5231fb3312bdd", "3bf02807ee80a522", "008e28142c118742", "f02568738b255226", "db202e21db5e5f4a", "1a2d6b4c7dd2bbea", "f8f63faf49605ef3", "5560d696047d9623"], "inputs": "ba15e64ddd4a7ecb", "targets": "a4ae29c515c62cf9", "split": "500ab4ac065ab824", "bag": "db146054d50d08b2", "task": "regression", "classes": []}, "encoding": null, "examples": {}, "findings": [["data", "diabetes: 442 samples", "data.source"], ["features", "10: age, sex, bmi, bp, s1, s2, s3, s4, \u2026 (10 in all)", "data.drop"], ["task", "regression: known of this source", "data.task"], ["parts", "39 training, 9 validation, 12 test; drawn with seed 0", "data.validation, data.test, data.seed"], ["scaling", "each feature to mean 0 and deviation 1, by the training part", "data.standardise"], ["scaling of targets", "each to mean 0 and deviation 1, by the training part", "data.standardise_targets"]], "costs": {"calibration": {"taken": "2026-11-21T23:46:57+00:00", "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "kernels": "2c0176a66d511f64"}, "threads": {"1": {"inference": {"call": 6.915874085009597e-06, "sample": 2.571274963100552e-09, "neuron": 0.0, "neuron_sample": 1.1665994231836085e-10, "input_sample": 1.2371930098455428e-10, "edge": 5.401987017018416e-11, "edge_sample": 1.9459611228579234e-11, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 7.81272843567251e-11, "tanh": 8.629443073830404e-11, "elu": 1.822231359649125e-11, "softplus": 3.035607410453216e-10, "silu": 8.732981542397654e-11, "gelu": 1.1640739217836248e-10, "sin": 6.565869426169588e-11, "square": 0.0}, "points": 55, "r2": 0.972736650226701, "median_residual": 0.0429473381051253, "worst_residual": 0.39267135031412825}, "training": {"masked": {"call": 4.060079643699285e-06, "sample": 1.0451759922060253e-08, "neuron": 7.858981995030614e-08, "neuron_sample": 5.055280772515331e-10, "input_sample": 1.2248051440969783e-10, "edge": 7.028955569127172e-09, "edge_sample": 4.2771923424381785e-11, "activations": {"identity": 0.0, "relu": 7.183540448343042e-12, "sigmoid": 3.7900523879142746e-11, "tanh": 9.372258771929849e-11, "elu": 6.608491715399581e-11, "softplus": 2.538514254385968e-10, "silu": 2.48740557992203e-10, "gelu": 2.550948769493178e-10, "sin": 2.2180494639376247e-10, "square": 7.157651072124755e-11}, "points": 55, "r2": 0.9874281439946992, "median_residual": 0.05912005351056426, "worst_residual": 0.2672760453878634}, "manifold": {"call": 3.7366285556101092e-06, "sample": 1.1876290924755352e-08, "neuron": 8.16586707713172e-08, "neuron_sample": 5.476808832130748e-10, "input_sample": 6.932735571812387e-11, "edge": 7.098063065895112e-09, "edge_sample": 5.8141503417706674e-11, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 3.9517086988303907e-11, "tanh": 5.1062987329434594e-11, "elu": 1.4825475146198523e-11, "softplus": 1.8014665570175422e-10, "silu": 1.3702256944444444e-10, "gelu": 5.943941885964912e-10, "sin": 2.096217105263157e-10, "square": 1.6269036306042895e-10}, "points": 55, "r2": 0.9893464171768726, "median_residual": 0.09279936604724326, "worst_residual": 0.3304128070739548}, "free": {"call": 2.955226269021761e-06, "sample": 1.0261442949893952e-08, "neuron": 2.8576422016080427e-08, "neuron_sample": 4.839002288557413e-10, "input_sample": 1.0489249800866824e-10, "edge": 9.114759414859613e-10, "edge_sample": 4.2190479848433794e-11, "activations": {"identity": 0.0, "relu": 2.1164565058480276e-12, "sigmoid": 4.113441154970755e-11, "tanh": 2.5028554459064178e-11, "elu": 4.93820815058478e-11, "softplus": 1.8045961257309914e-10, "silu": 1.8304055494639367e-10, "gelu": 2.438653600146197e-10, "sin": 1.896906980994149e-10, "square": 1.6622121710526e-11}, "points": 55, "r2": 0.976793075561228, "median_residual": 0.07388447160816036, "worst_residual": 0.27909398195481827}}, "memory": {"masked": {"call": 1451.2803399644924, "sample": 0.0, "neuron": 287.20199538773085, "neuron_sample": 6.97649599453621, "input_sample": 8.902747704422154, "edge": 85.25748335797667, "edge_sample": 0.0, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 0.0, "tanh": 0.0, "elu": 0.0, "softplus": 0.0, "silu": 10.222222222222221, "gelu": 10.222222222222221, "sin": 10.222222222222221, "square": 10.222222222222221}, "points": 75, "r2": 0.999970271175553, "median_residual": 0.002142957335794171, "worst_residual": 0.036257256485286105}, "manifold": {"call": 1441.5008071832674, "sample": 0.0, "neuron": 302.21976610023495, "neuron_sample": 7.002486799198562, "input_sample": 8.905776741632126, "edge": 69.23615407171954, "edge_sample": 0.0, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 0.0, "tanh": 0.0, "elu": 0.0, "softplus": 0.0, "silu": 10.222222222222221, "gelu": 10.222222222222221, "sin": 10.222222222222221, "square": 10.222222222222221}, "points": 75, "r2": 0.9999582660631455, "median_residual": 0.002514072734875472, "worst_residual": 0.03701148619335648}, "free": {"call": 1404.434150661189, "sample": 0.0, "neuron": 172.46321769765117, "neuron_sample": 7.0433115707000935, "input_sample": 8.907539997410566, "edge": 65.22976028352817, "edge_sample": 0.0, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 0.0, "tanh": 0.0, "elu": 0.0, "softplus": 0.0, "silu": 10.222222222222221, "gelu": 10.222222222222221, "sin": 10.222222222222221, "square": 10.222222222222221}, "points": 75, "r2": 0.9999530923043273, "median_residual": 0.0031678763799563026, "worst_residual": 0.037518153919021136}}}}}, "own": false}}}');
INSERT INTO "study_user_attributes" VALUES(2,1,'nas:retimed','{"metrics": {"0": {"inference_seconds": 4.8491489361702125e-06, "inference_spread": 5.47768308099335e-07, "reference_seconds": 0.001177567}, "1": {"inference_seconds": 4.833037190082645e-06, "inference_spread": 5.487780319409624e-07, "reference_seconds": 0.001177567}, "2": {"inference_seconds": 4.909491666666667e-06, "inference_spread": 5.486506737166333e-07, "reference_seconds": 0.001177567}}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1}}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'learning_rate',9.87233471889956276656e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(2,1,'input_noise',9.15525989926495586956e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(3,1,'final_input_noise',1.88982971724697607074e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.005, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(4,1,'weight_decay',3.13853015457837836166e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.2, "log": true}}');
INSERT INTO "trial_params" VALUES(5,1,'activation',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["silu", "tanh", "relu"]}}');
INSERT INTO "trial_params" VALUES(6,1,'losses.sparsity',1.46812918442033694954e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(7,2,'learning_rate',4.61056030725668156144e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(8,2,'input_noise',7.15704894979382333364e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(9,2,'final_input_noise',1.70431598061735155302e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.005, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(10,2,'weight_decay',3.86161791596061933218e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.2, "log": true}}');
INSERT INTO "trial_params" VALUES(11,2,'activation',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["silu", "tanh", "relu"]}}');
INSERT INTO "trial_params" VALUES(12,2,'losses.sparsity',6.76419972294654836542e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(13,3,'learning_rate',1.17654363914987533309e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(14,3,'input_noise',1.44079775738482959018e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(15,3,'final_input_noise',1.26452351000184218254e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.005, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(16,3,'weight_decay',5.80773613319031638962e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.2, "log": true}}');
INSERT INTO "trial_params" VALUES(17,3,'activation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["silu", "tanh", "relu"]}}');
INSERT INTO "trial_params" VALUES(18,3,'losses.sparsity',1.50151625602346744901e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'nas:record','{"format": 1, "seed": 1478428096, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"learning_rate": 0.09872334718899563, "input_noise": 0.9155259899264956, "final_input_noise": 0.1889829717246976, "weight_decay": 0.031385301545783784, "activation": "relu", "losses.sparsity": 0.01468129184420337}, "inherited": false, "file": "85b7ee7faf70d92beceda5e3dde93d15"}');
INSERT INTO "trial_user_attributes" VALUES(2,1,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 1.3969462292887256, "val_error": 1.3969462292887256, "val_r2": -0.3496799386894296, "val_score": 1.3969462292887256, "test_loss": 0.9180511425098455, "test_error": 0.9180511425098455, "test_r2": -0.08168863637399526, "edges": 2.0, "density": 0.2, "depth": 1.0, "neurons": 0.0, "flow": 0.0, "smooth_edges": 2.0, "train_step_seconds": 5.9608368421052635e-06, "train_bytes": 3029.0, "inference_seconds": 4.901058333333334e-06, "inference_spread": 5.887895012370978e-07, "reference_seconds": 0.00115295, "predicted_train_step_seconds": 4.2430297177876856e-06, "predicted_inference_seconds": 6.96357080842746e-06, "predicted_train_bytes": 3445.060870688301, "flash": 352.0, "ram": 26.0, "cycles": 1139.0}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1, "cost_model": "shipped, AMD EPYC"}, "seconds": 0.13404955599980894, "worker": "vm:30530", "file": "70b4165aabf7ddb48554b40d29c64800", "ended": 1796055507.591682}');
INSERT INTO "trial_user_attributes" VALUES(3,2,'nas:record','{"format": 1, "seed": 743270290, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"learning_rate": 0.046105603072566816, "input_noise": 0.07157048949793823, "final_input_noise": 0.017043159806173516, "weight_decay": 0.0038616179159606193, "activation": "tanh", "losses.sparsity": 0.06764199722946548}, "inherited": false, "file": "f7155f321d54b611da057bb1dbe52ee9"}');
INSERT INTO "trial_user_attributes" VALUES(4,2,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 1.5892812703802346, "val_error": 1.5892812703802346, "val_r2": -0.5355072390003306, "val_score": 1.5892812703802346, "test_loss": 1.1751024649739072, "test_error": 1.1751024649739072, "test_r2": -0.3845579228432956, "edges": 2.0, "density": 0.2, "depth": 1.0, "neurons": 0.0, "flow": 2.668747901916504, "smooth_edges": 6.042516708374023, "train_step_seconds": 5.999952631578948e-06, "train_bytes": 3029.0, "inference_seconds": 4.974591666666667e-06, "inference_spread": 6.237662328276462e-07, "reference_seconds": 0.00115295, "predicted_train_step_seconds": 4.2430297177876856e-06, "predicted_inference_seconds": 6.96357080842746e-06, "predicted_train_bytes": 3445.060870688301, "flash": 352.0, "ram": 26.0, "cycles": 1139.0}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1, "cost_model": "shipped, AMD EPYC"}, "seconds": 0.10208716899796855, "worker": "vm:30530", "file": "777a85bc30bf57a9ef878b9973366995", "ended": 1796055507.7301805}');
INSERT INTO "trial_user_attributes" VALUES(5,3,'nas:record','{"format": 1, "seed": 1413575763, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"learning_rate": 0.0011765436391498753, "input_noise": 0.014407977573848296, "final_input_noise": 0.012645235100018422, "weight_decay": 0.005807736133190316, "activation": "silu", "losses.sparsity": 0.0015015162560234674}, "inherited": false, "file": "00e2ff09fa1854315280750c287eed62"}');
INSERT INTO "trial_user_attributes" VALUES(6,3,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 1.4768334245694843, "val_error": 1.4768334245694843, "val_r2": -0.42686411555177317, "val_score": 1.4768334245694843, "test_loss": 0.7702344298088044, "test_error": 0.7702344298088044, "test_r2": 0.09247558061913497, "edges": 6.0, "density": 0.2857142857142857, "depth": 2.0, "neurons": 1.0, "flow": 28.34037971496582, "smooth_edges": 12.0, "train_step_seconds": 6.134626315789475e-06, "train_bytes": 4509.0, "inference_seconds": 4.964789029535865e-06, "inference_spread": 6.54240100114007e-07, "reference_seconds": 0.00115295, "predicted_train_step_seconds": 4.360077742991863e-06, "predicted_inference_seconds": 6.974234665597906e-06, "predicted_train_bytes": 4348.472290976073, "flash": 647.0, "ram": 30.0, "cycles": 3153.0}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1, "cost_model": "shipped, AMD EPYC"}, "seconds": 0.09903441699862015, "worker": "vm:30530", "file": "9f7239146d6693f4168ca8effef1e40f", "ended": 1796055507.8422139}');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,1.39694622928872558276e+00,'FINITE');
INSERT INTO "trial_values" VALUES(2,1,1,4.90105833333333363232e-06,'FINITE');
INSERT INTO "trial_values" VALUES(3,2,0,1.58928127038023458972e+00,'FINITE');
INSERT INTO "trial_values" VALUES(4,2,1,4.97459166666666726666e-06,'FINITE');
INSERT INTO "trial_values" VALUES(5,3,0,1.47683342456948429877e+00,'FINITE');
INSERT INTO "trial_values" VALUES(6,3,1,4.96478902953586459555e-06,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-30 16:18:27.440443','2026-11-30 16:18:27.605981');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-30 16:18:27.618298','2026-11-30 16:18:27.868180');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-30 16:18:27.732981','2026-11-30 16:18:27.869435');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
