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
INSERT INTO "studies" VALUES(1,'golden');
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
INSERT INTO "study_user_attributes" VALUES(1,1,'nas:study','{"format": 1, "id": "a2081c6cf649489889ee18c7aff54611", "objectives": ["error", "inference_time"], "error_reference": 1.0, "error_metric": "val_score", "seed": 0, "job": {"job": {"version": 1, "data": {"source": "table.csv", "target": "kind", "drop": [], "keep": [], "kinds": {}, "task": "auto", "encoding": "auto", "separator": "auto", "decimal": "auto", "header": "auto", "validation": 0.15, "test": 0.2, "standardise": "auto", "standardise_targets": null, "period": null, "samples": null, "class_weight": null, "seed": 0}, "space": {"name": "neuron_dag", "options": {"n_computational": [3, 4], "density": [0.3, 0.6]}}, "search": {"strategy": "evolution", "trials": 5, "objectives": ["error", "inference_time"], "constraints": [], "budget_minutes": null, "budget_steps": null, "stop": "budget", "least_gain": 0.003, "halving": {"keep": 0.5, "rule": "rank", "startup": 8, "window": 100, "pruner": null}, "baselines": false, "seed": 0, "group": null, "options": {"population": 2, "initial": 3, "guided": false}}, "training": {"steps": 20, "batch_size": 8, "inference_batch": 16, "optimizer": "adamw", "learning_rate": 0.005, "schedule": "cosine", "warmup": 0.0, "weight_decay": 0.0, "input_noise": 0.0, "final_input_noise": null, "input_dropout": 0.0, "activation": "leaky_relu", "parametrisation": "free", "readout": "activated", "on_lost_output": "regrow", "structure_until": 1.0, "losses": {"objective": 1.0, "flow": 1e-10, "sparsity": 0.1, "time": 0.0, "memory": 0.0, "temperature": 0.5, "final_temperature": 0.005}, "sparsify": null, "log_every": 10, "evaluate_every": null, "rungs": []}, "resources": {"executor": "serial", "workers": null, "threads": 1, "gpus": 0.0, "device": "auto", "address": null, "trial_minutes": 120.0}, "tracking": {"experiment": "golden", "store": "nas-runs", "storage": null, "mlflow": false, "mlflow_uri": null, "champion": "best", "model": null, "animation": false}}, "task": "classification", "period": null, "feature_names": ["size", "colour", "seen"], "columns": {"named": true, "kinds": ["number", "category", "date"], "low": [0.0, 0.0, 1767398400.0], "high": [1.9, 2.0, 1796256000.0], "targets": ["kind"], "left_out": []}, "statistics": {"mean": [0.9666666666666669, 0.02564102564102564, 0.3333333333333333, 0.3076923076923077, 0.358974358974359, 20620.51282051282, 6.435897435897436, 2.948717948717949], "scale": [0.5365288881907924, 0.15806189751202515, 0.47140452079103157, 0.46153846153846145, 0.4796996649710182, 104.46318742955407, 3.432834455626577, 1.8390175463631913], "target_mean": [], "target_scale": [], "classes": ["a", "b"]}, "fingerprint": {"version": 1, "rows": 60, "names": ["size", "colour", "seen"], "columns": ["ddaea2a5ac2bfb25", "bbce49f9e044aad4", "caea1594779b5f66"], "inputs": "26c52dd3c827a200", "targets": "bea6030976ce9ae1", "split": "e0ed7767d4a12fec", "bag": "4aa6d53cd75ddcfc", "task": "classification", "classes": ["a", "b"]}, "encoding": {"version": 1, "columns": [{"name": "size", "kind": "number", "fill": 1.0, "flagged": true, "levels": [], "base": null, "other": false, "parts": []}, {"name": "colour", "kind": "category", "fill": null, "flagged": false, "levels": ["blue", "green", "red"], "base": null, "other": false, "parts": []}, {"name": "seen", "kind": "date", "fill": null, "flagged": false, "levels": [], "base": null, "other": false, "parts": ["days", "month", "weekday"]}]}, "examples": {"size": [1.5, 0.6, null, 0.9, 0.3], "colour": ["green", "red", "red", "blue", "red"], "seen": ["2026-02-03T00:00:00", "2026-07-03T00:00:00", "2026-07-03T00:00:00", "2026-12-03T00:00:00", "2026-10-03T00:00:00"]}, "findings": [["data", "table.csv: 60 samples", "data.source"], ["read as", "UTF-8, separator '','', decimal mark ''.'', the first line names the columns", "data.encoding, data.separator, data.decimal, data.header"], ["features", "3 that become 8 inputs: size, colour, seen", "data.drop, data.keep"], ["column", "size: number, missing ones become the median 1, and an input says which", "data.kinds"], ["column", "colour: 3 categories (blue, green, red), 3 inputs", "data.kinds"], ["column", "seen: date, as days, month, weekday, 3 inputs", "data.kinds"], ["target", "kind", "data.target"], ["task", "classification: targets are text", "data.task"], ["classes", "2: a (33), b (27)", ""], ["parts", "39 training, 9 validation, 12 test; drawn with seed 0", "data.validation, data.test, data.seed"], ["scaling", "each feature to mean 0 and deviation 1, by the training part", "data.standardise"]], "costs": {"calibration": {"taken": "2026-11-21T23:46:57+00:00", "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "kernels": "2c0176a66d511f64"}, "threads": {"1": {"inference": {"call": 6.915874085009597e-06, "sample": 2.571274963100552e-09, "neuron": 0.0, "neuron_sample": 1.1665994231836085e-10, "input_sample": 1.2371930098455428e-10, "edge": 5.401987017018416e-11, "edge_sample": 1.9459611228579234e-11, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 7.81272843567251e-11, "tanh": 8.629443073830404e-11, "elu": 1.822231359649125e-11, "softplus": 3.035607410453216e-10, "silu": 8.732981542397654e-11, "gelu": 1.1640739217836248e-10, "sin": 6.565869426169588e-11, "square": 0.0}, "points": 55, "r2": 0.972736650226701, "median_residual": 0.0429473381051253, "worst_residual": 0.39267135031412825}, "training": {"masked": {"call": 4.060079643699285e-06, "sample": 1.0451759922060253e-08, "neuron": 7.858981995030614e-08, "neuron_sample": 5.055280772515331e-10, "input_sample": 1.2248051440969783e-10, "edge": 7.028955569127172e-09, "edge_sample": 4.2771923424381785e-11, "activations": {"identity": 0.0, "relu": 7.183540448343042e-12, "sigmoid": 3.7900523879142746e-11, "tanh": 9.372258771929849e-11, "elu": 6.608491715399581e-11, "softplus": 2.538514254385968e-10, "silu": 2.48740557992203e-10, "gelu": 2.550948769493178e-10, "sin": 2.2180494639376247e-10, "square": 7.157651072124755e-11}, "points": 55, "r2": 0.9874281439946992, "median_residual": 0.05912005351056426, "worst_residual": 0.2672760453878634}, "manifold": {"call": 3.7366285556101092e-06, "sample": 1.1876290924755352e-08, "neuron": 8.16586707713172e-08, "neuron_sample": 5.476808832130748e-10, "input_sample": 6.932735571812387e-11, "edge": 7.098063065895112e-09, "edge_sample": 5.8141503417706674e-11, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 3.9517086988303907e-11, "tanh": 5.1062987329434594e-11, "elu": 1.4825475146198523e-11, "softplus": 1.8014665570175422e-10, "silu": 1.3702256944444444e-10, "gelu": 5.943941885964912e-10, "sin": 2.096217105263157e-10, "square": 1.6269036306042895e-10}, "points": 55, "r2": 0.9893464171768726, "median_residual": 0.09279936604724326, "worst_residual": 0.3304128070739548}, "free": {"call": 2.955226269021761e-06, "sample": 1.0261442949893952e-08, "neuron": 2.8576422016080427e-08, "neuron_sample": 4.839002288557413e-10, "input_sample": 1.0489249800866824e-10, "edge": 9.114759414859613e-10, "edge_sample": 4.2190479848433794e-11, "activations": {"identity": 0.0, "relu": 2.1164565058480276e-12, "sigmoid": 4.113441154970755e-11, "tanh": 2.5028554459064178e-11, "elu": 4.93820815058478e-11, "softplus": 1.8045961257309914e-10, "silu": 1.8304055494639367e-10, "gelu": 2.438653600146197e-10, "sin": 1.896906980994149e-10, "square": 1.6622121710526e-11}, "points": 55, "r2": 0.976793075561228, "median_residual": 0.07388447160816036, "worst_residual": 0.27909398195481827}}, "memory": {"masked": {"call": 1451.2803399644924, "sample": 0.0, "neuron": 287.20199538773085, "neuron_sample": 6.97649599453621, "input_sample": 8.902747704422154, "edge": 85.25748335797667, "edge_sample": 0.0, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 0.0, "tanh": 0.0, "elu": 0.0, "softplus": 0.0, "silu": 10.222222222222221, "gelu": 10.222222222222221, "sin": 10.222222222222221, "square": 10.222222222222221}, "points": 75, "r2": 0.999970271175553, "median_residual": 0.002142957335794171, "worst_residual": 0.036257256485286105}, "manifold": {"call": 1441.5008071832674, "sample": 0.0, "neuron": 302.21976610023495, "neuron_sample": 7.002486799198562, "input_sample": 8.905776741632126, "edge": 69.23615407171954, "edge_sample": 0.0, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 0.0, "tanh": 0.0, "elu": 0.0, "softplus": 0.0, "silu": 10.222222222222221, "gelu": 10.222222222222221, "sin": 10.222222222222221, "square": 10.222222222222221}, "points": 75, "r2": 0.9999582660631455, "median_residual": 0.002514072734875472, "worst_residual": 0.03701148619335648}, "free": {"call": 1404.434150661189, "sample": 0.0, "neuron": 172.46321769765117, "neuron_sample": 7.0433115707000935, "input_sample": 8.907539997410566, "edge": 65.22976028352817, "edge_sample": 0.0, "activations": {"identity": 0.0, "relu": 0.0, "sigmoid": 0.0, "tanh": 0.0, "elu": 0.0, "softplus": 0.0, "silu": 10.222222222222221, "gelu": 10.222222222222221, "sin": 10.222222222222221, "square": 10.222222222222221}, "points": 75, "r2": 0.9999530923043273, "median_residual": 0.0031678763799563026, "worst_residual": 0.037518153919021136}}}}}, "own": false}}}');
INSERT INTO "study_user_attributes" VALUES(2,1,'nas:retimed','{"metrics": {"0": {"inference_seconds": 3.184969230769231e-05, "inference_spread": 5.1070924901772856e-05, "reference_seconds": 0.002457178}, "1": {"inference_seconds": 3.3075055555555556e-05, "inference_spread": 6.457540514405994e-05, "reference_seconds": 0.002457178}, "2": {"inference_seconds": 5.6817052631578954e-05, "inference_spread": 9.445572723308144e-05, "reference_seconds": 0.002457178}, "3": {"inference_seconds": 3.555013793103449e-05, "inference_spread": 3.539626467815834e-05, "reference_seconds": 0.002457178}, "4": {"inference_seconds": 2.999737142857143e-05, "inference_spread": 9.726914267615738e-05, "reference_seconds": 0.002457178}}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1}}');
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
INSERT INTO "trial_user_attributes" VALUES(1,1,'nas:record','{"format": 1, "seed": 1804554974, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.09872334718899563, "input_noise": 0.9155259899264956, "final_input_noise": 0.1889829717246976, "weight_decay": 0.031385301545783784, "activation": "tanh"}, "inherited": false, "file": "0584fcb3c94d5da51b8ad0c581226a07"}');
INSERT INTO "trial_user_attributes" VALUES(2,1,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.678870545821019, "val_error": 0.33333333333333337, "val_accuracy": 0.6666666666666666, "val_score": 0.48410302975205993, "test_loss": 0.7366629459021604, "test_error": 0.5833333333333333, "test_accuracy": 0.4166666666666667, "edges": 26.0, "density": 0.5306122448979592, "depth": 3.0, "neurons": 3.0, "flow": 18.667638778686523, "smooth_edges": 26.0, "train_step_seconds": 1.8405522222222223e-05, "train_bytes": 4991.0, "inference_seconds": 4.716741379310345e-05, "inference_spread": 0.00016413537581403415, "reference_seconds": 0.00320045, "predicted_train_step_seconds": 3.2393437313222257e-06, "predicted_inference_seconds": 6.99582519790165e-06, "predicted_train_bytes": 5666.354051845738, "flash": 721.0, "ram": 35.0, "cycles": 6195.0}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1, "cost_model": "shipped, AMD EPYC"}, "seconds": 788.2348483690002, "worker": "vm:25143", "file": "1f5be26d680ee91dd9c37c3977bade14"}');
INSERT INTO "trial_user_attributes" VALUES(3,2,'nas:record','{"format": 1, "seed": 743270290, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.046105603072566816, "input_noise": 0.07157048949793823, "final_input_noise": 0.017043159806173516, "weight_decay": 0.0038616179159606193, "activation": "tanh"}, "inherited": false, "file": "bbdf70029561025075288ac1b5676da3"}');
INSERT INTO "trial_user_attributes" VALUES(4,2,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.5639064398859938, "val_error": 0.33333333333333337, "val_accuracy": 0.6666666666666666, "val_score": 0.3958834581121923, "test_loss": 1.550122505371925, "test_error": 0.8333333333333334, "test_accuracy": 0.16666666666666666, "edges": 20.0, "density": 0.40816326530612246, "depth": 2.0, "neurons": 3.0, "flow": 7.483857154846191, "smooth_edges": 20.0, "train_step_seconds": 1.466921e-05, "train_bytes": 4601.0, "inference_seconds": 5.607053846153846e-05, "inference_spread": 9.895873175366993e-05, "reference_seconds": 0.00320045, "predicted_train_step_seconds": 3.231010592656516e-06, "predicted_inference_seconds": 6.991653447186933e-06, "predicted_train_bytes": 5274.9754901445685, "flash": 723.0, "ram": 34.0, "cycles": 5480.0}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1, "cost_model": "shipped, AMD EPYC"}, "seconds": 1.2381447650004702, "worker": "vm:25143", "file": "820b8c8204119df69e6928e66a93b191"}');
INSERT INTO "trial_user_attributes" VALUES(5,3,'nas:record','{"format": 1, "seed": 1127769084, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.0035650750790759793, "input_noise": 0.04089754613819105, "final_input_noise": 0.008533891944375399, "weight_decay": 0.020971970373858898, "activation": "tanh"}, "inherited": false, "file": "6004739ae19c4af6acf421c177338db6"}');
INSERT INTO "trial_user_attributes" VALUES(6,3,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.729379726128445, "val_error": 0.4444444444444444, "val_accuracy": 0.5555555555555556, "val_score": 0.5010451057902365, "test_loss": 0.6867123306985853, "test_error": 0.5, "test_accuracy": 0.5, "edges": 31.0, "density": 0.6326530612244898, "depth": 4.0, "neurons": 3.0, "flow": 57.56928253173828, "smooth_edges": 37.0, "train_step_seconds": 1.207507142857143e-05, "train_bytes": 5316.0, "inference_seconds": 6.13865238095238e-05, "inference_spread": 0.00010116167280882416, "reference_seconds": 0.002075051, "predicted_train_step_seconds": 3.245588730223593e-06, "predicted_inference_seconds": 6.9976520661507874e-06, "predicted_train_bytes": 5992.502853263378, "flash": 731.0, "ram": 35.0, "cycles": 6356.0}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1, "cost_model": "shipped, AMD EPYC"}, "seconds": 115.49316212099802, "worker": "vm:25143", "file": "df33bcde8b88f280ba62390562ae6eab"}');
INSERT INTO "trial_user_attributes" VALUES(7,4,'nas:record','{"format": 1, "seed": 248700812, "steps": 20, "parent": 1, "mutation": "add 1 edge", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.05504055933914147, "input_noise": 0.1531300165825789, "final_input_noise": 0.017043159806173516, "weight_decay": 0.015388324763765976, "activation": "tanh"}, "inherited": true, "file": "f1eddb7ea11ceab06fe76d1462496b47"}');
INSERT INTO "trial_user_attributes" VALUES(8,4,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.5678929529448934, "val_error": 0.5555555555555556, "val_accuracy": 0.4444444444444444, "val_score": 0.3983630163161058, "test_loss": 1.8087009445171613, "test_error": 0.8333333333333334, "test_accuracy": 0.16666666666666666, "edges": 21.0, "density": 0.42857142857142855, "depth": 2.0, "neurons": 3.0, "flow": 5.701448917388916, "smooth_edges": 21.0, "train_step_seconds": 1.2098790000000001e-05, "train_bytes": 4666.0, "inference_seconds": 4.263993333333334e-05, "inference_spread": 0.00010151633654445796, "reference_seconds": 0.002705593, "predicted_train_step_seconds": 3.2322595924367894e-06, "predicted_inference_seconds": 6.99201882083676e-06, "predicted_train_bytes": 5340.205250428096, "flash": 725.0, "ram": 34.0, "cycles": 5512.0}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1, "cost_model": "shipped, AMD EPYC"}, "seconds": 0.4652702230014256, "worker": "vm:25143", "file": "5453307657fdb6d2b1eea2f39caa246a"}');
INSERT INTO "trial_user_attributes" VALUES(9,5,'nas:record','{"format": 1, "seed": 490899024, "steps": 20, "parent": 1, "mutation": "remove 1 edge", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.046105603072566836, "input_noise": 0.07157048949793823, "final_input_noise": 0.017043159806173516, "weight_decay": 0.011532001353883398, "activation": "tanh"}, "inherited": true, "file": "4563779afbb3a1116ba3fc23996e9824"}');
INSERT INTO "trial_user_attributes" VALUES(10,5,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.6100136265941601, "val_error": 0.4444444444444444, "val_accuracy": 0.5555555555555556, "val_score": 0.42582916470627585, "test_loss": 1.8438923444136928, "test_error": 0.75, "test_accuracy": 0.25, "edges": 19.0, "density": 0.3877551020408163, "depth": 2.0, "neurons": 3.0, "flow": 6.81228494644165, "smooth_edges": 19.0, "train_step_seconds": 1.2059875000000001e-05, "train_bytes": 4536.0, "inference_seconds": 5.120369230769231e-05, "inference_spread": 4.4860966786759204e-05, "reference_seconds": 0.002705593, "predicted_train_step_seconds": 3.229761592876243e-06, "predicted_inference_seconds": 6.991288073537105e-06, "predicted_train_bytes": 5209.74572986104, "flash": 721.0, "ram": 34.0, "cycles": 5447.0}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1, "cost_model": "shipped, AMD EPYC"}, "seconds": 0.32161289699797635, "worker": "vm:25143", "file": "0464d9564d98dcf180504fc23c84d1f3"}');
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
INSERT INTO "trial_values" VALUES(1,1,0,4.84103029752059932366e-01,'FINITE');
INSERT INTO "trial_values" VALUES(2,1,1,4.71674137931034511252e-05,'FINITE');
INSERT INTO "trial_values" VALUES(3,2,0,3.95883458112192276878e-01,'FINITE');
INSERT INTO "trial_values" VALUES(4,2,1,5.60705384615384631614e-05,'FINITE');
INSERT INTO "trial_values" VALUES(5,3,0,5.01045105790236533493e-01,'FINITE');
INSERT INTO "trial_values" VALUES(6,3,1,6.13865238095238e-05,'FINITE');
INSERT INTO "trial_values" VALUES(7,4,0,3.98363016316105822411e-01,'FINITE');
INSERT INTO "trial_values" VALUES(8,4,1,4.26399333333333382858e-05,'FINITE');
INSERT INTO "trial_values" VALUES(9,5,0,4.25829164706275853369e-01,'FINITE');
INSERT INTO "trial_values" VALUES(10,5,1,5.12036923076923113865e-05,'FINITE');
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
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-29 12:26:26.760834','2026-11-29 12:39:35.087536');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-29 12:39:35.529105','2026-11-29 12:39:36.924101');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-29 12:39:37.183096','2026-11-29 12:41:32.681434');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-29 12:41:32.688707','2026-11-29 12:41:59.418120');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-29 12:41:59.452570','2026-11-29 12:41:59.923814');
INSERT INTO "trials" VALUES(6,5,1,'RUNNING','2026-11-29 12:42:10.524704',NULL);
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
