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
INSERT INTO "study_user_attributes" VALUES(1,1,'nas:study','{"format": 1, "objectives": ["error", "inference_time"], "error_reference": 1.0, "seed": 0, "job": {"job": {"data": {"source": "iris", "target": null, "drop": [], "task": "auto", "validation": 0.15, "test": 0.2, "standardise": "auto", "standardise_targets": null, "period": null, "samples": 60, "seed": 0}, "space": {"name": "neuron_dag", "options": {"n_computational": [3, 4], "density": [0.3, 0.6]}}, "search": {"strategy": "evolution", "trials": 5, "objectives": ["error", "inference_time"], "budget_minutes": null, "seed": 0, "options": {"population": 2, "initial": 3}}, "training": {"steps": 20, "batch_size": 8, "inference_batch": 16, "optimizer": "adam", "learning_rate": 0.005, "schedule": "cosine", "warmup": 0.0, "weight_decay": 0.0, "input_noise": 0.0, "input_dropout": 0.0, "activation": "leaky_relu", "parametrisation": "free", "losses": {"objective": 1.0, "flow": 1e-10, "sparsity": 0.1, "time": 0.0, "memory": 0.0}, "sparsify": null, "distil": null, "log_every": 10}, "resources": {"executor": "serial", "workers": null, "threads": 1, "gpus": 0.0, "device": "auto", "address": null}, "tracking": {"experiment": "golden", "store": "nas-runs", "storage": null, "mlflow": false, "mlflow_uri": null}}, "task": "classification", "period": null, "feature_names": ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"], "statistics": {"mean": [5.887179374694824, 3.0999999046325684, 3.7923076152801514, 1.220512866973877], "scale": [0.836715042591095, 0.40824830532073975, 1.7397884130477905, 0.7497621774673462], "target_mean": [], "target_scale": [], "classes": ["setosa", "versicolor", "virginica"]}}}');
INSERT INTO "study_user_attributes" VALUES(2,1,'nas:retimed','{"metrics": {"1": {"inference_seconds": 1.200521649484536e-05, "inference_spread": 3.027216494845356e-07, "reference_seconds": 0.0012338000000000002}, "2": {"inference_seconds": 1.201739175257732e-05, "inference_spread": 4.4926262626262747e-07, "reference_seconds": 0.0012338000000000002}}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1}}');
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
INSERT INTO "trial_user_attributes" VALUES(1,1,'nas:record','{"format": 1, "seed": 643626384, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.0017737759326072317}, "inherited": false}');
INSERT INTO "trial_user_attributes" VALUES(2,1,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.9827763726957797, "val_error": 0.5555555555555556, "val_accuracy": 0.4444444444444444, "test_loss": 0.9301173875172201, "test_error": 0.33333333333333337, "test_accuracy": 0.6666666666666666, "edges": 19.0, "density": 0.5277777777777778, "depth": 2.0, "neurons": 3.0, "flow": 6.848546028137207, "smooth_edges": 19.0, "train_step_seconds": 3.3059593750000003e-06, "inference_seconds": 1.2039358974358976e-05, "inference_spread": 1.9207692307692464e-07, "reference_seconds": 0.0012327170000000001}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1}, "seconds": 13.197538254999017, "worker": "host:1"}');
INSERT INTO "trial_user_attributes" VALUES(3,2,'nas:record','{"format": 1, "seed": 71787961, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.0013621573326103704}, "inherited": false}');
INSERT INTO "trial_user_attributes" VALUES(4,2,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.9459199917066586, "val_error": 0.2222222222222222, "val_accuracy": 0.7777777777777778, "test_loss": 0.9752573290375969, "test_error": 0.41666666666666663, "test_accuracy": 0.5833333333333334, "edges": 14.0, "density": 0.3888888888888889, "depth": 3.0, "neurons": 3.0, "flow": 0.023811858147382736, "smooth_edges": 14.0, "train_step_seconds": 3.258829411764706e-06, "inference_seconds": 1.2008427083333335e-05, "inference_spread": 6.891510416666682e-07, "reference_seconds": 0.001219388}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1}, "seconds": 0.07905416700123169, "worker": "host:1"}');
INSERT INTO "trial_user_attributes" VALUES(5,3,'nas:record','{"format": 1, "seed": 713025157, "steps": 20, "parent": null, "mutation": "initial", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.0005963853446255622}, "inherited": false}');
INSERT INTO "trial_user_attributes" VALUES(6,3,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.9714000545580775, "val_error": 0.5555555555555556, "val_accuracy": 0.4444444444444444, "test_loss": 0.930887965900304, "test_error": 0.33333333333333337, "test_accuracy": 0.6666666666666666, "edges": 27.0, "density": 0.5869565217391305, "depth": 3.0, "neurons": 4.0, "flow": 17.228046417236328, "smooth_edges": 27.0, "train_step_seconds": 3.3254428571428575e-06, "inference_seconds": 1.1904247422680412e-05, "inference_spread": 1.4831443298969e-07, "reference_seconds": 0.001222633}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1}, "seconds": 0.06521871299992199, "worker": "host:1"}');
INSERT INTO "trial_user_attributes" VALUES(7,4,'nas:record','{"format": 1, "seed": 1960959160, "steps": 10, "parent": 2, "mutation": "rewire 1 edge", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.0005813103628580313}, "inherited": true}');
INSERT INTO "trial_user_attributes" VALUES(8,4,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.9676890095616216, "val_error": 0.4444444444444444, "val_accuracy": 0.5555555555555556, "test_loss": 0.9280887182083079, "test_error": 0.41666666666666663, "test_accuracy": 0.5833333333333334, "edges": 27.0, "density": 0.5869565217391305, "depth": 3.0, "neurons": 4.0, "flow": 17.506210327148438, "smooth_edges": 27.0, "train_step_seconds": 3.4549090909090916e-06, "inference_seconds": 1.2133134020618558e-05, "inference_spread": 3.6765463917525724e-07, "reference_seconds": 0.001232707}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1}, "seconds": 0.06970304700007546, "worker": "host:1"}');
INSERT INTO "trial_user_attributes" VALUES(9,5,'nas:record','{"format": 1, "seed": 545926269, "steps": 10, "parent": 1, "mutation": "rewire 1 edge", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.0008337771497432416}, "inherited": true}');
INSERT INTO "trial_user_attributes" VALUES(10,5,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_loss": 0.912409954712601, "val_error": 0.2222222222222222, "val_accuracy": 0.7777777777777778, "test_loss": 0.937896527351939, "test_error": 0.41666666666666663, "test_accuracy": 0.5833333333333334, "edges": 14.0, "density": 0.3888888888888889, "depth": 3.0, "neurons": 3.0, "flow": 0.021882344037294388, "smooth_edges": 14.0, "train_step_seconds": 3.274578787878788e-06, "inference_seconds": 1.2044989795918369e-05, "inference_spread": 2.5828571428571457e-07, "reference_seconds": 0.0012127280000000002}, "hardware": {"processor": "AMD EPYC", "cores": 2, "logical_cores": 2, "memory_gib": 23.5, "system": "Linux x86_64", "python": "3.11.7", "torch": "2.13.0+cpu", "numpy": "2.4.6", "numba": "0.68.1", "gpu": "none", "threads": 1}, "seconds": 0.06598692800071149, "worker": "host:1"}');
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
INSERT INTO "trial_values" VALUES(1,1,0,5.55555555555555580227e-01,'FINITE');
INSERT INTO "trial_values" VALUES(2,1,1,1.20393589743589758721e-05,'FINITE');
INSERT INTO "trial_values" VALUES(3,2,0,2.22222222222222209886e-01,'FINITE');
INSERT INTO "trial_values" VALUES(4,2,1,1.20084270833333347518e-05,'FINITE');
INSERT INTO "trial_values" VALUES(5,3,0,5.55555555555555580227e-01,'FINITE');
INSERT INTO "trial_values" VALUES(6,3,1,1.19042474226804119961e-05,'FINITE');
INSERT INTO "trial_values" VALUES(7,4,0,4.44444444444444419772e-01,'FINITE');
INSERT INTO "trial_values" VALUES(8,4,1,1.21331340206185577597e-05,'FINITE');
INSERT INTO "trial_values" VALUES(9,5,0,2.22222222222222209886e-01,'FINITE');
INSERT INTO "trial_values" VALUES(10,5,1,1.20449897959183685979e-05,'FINITE');
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
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-21 19:02:15.936289','2026-11-21 19:02:29.655007');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-21 19:02:29.693180','2026-11-21 19:02:29.795245');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-21 19:02:29.802241','2026-11-21 19:02:29.884262');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-21 19:02:29.899558','2026-11-21 19:02:31.377618');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-21 19:02:31.387455','2026-11-21 19:02:31.493173');
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
