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
INSERT INTO "studies" VALUES(1,'killed');
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
INSERT INTO "study_system_attributes" VALUES(2,1,'NSGAIISampler:parent:1','[0, 1]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'nas:study','{"format": 1, "id": "11ed164aa10a46828c4dc694a525f3f3", "objectives": ["error", "inference_time"], "error_reference": 1.0, "error_metric": "val_score", "seed": 3, "job": null}');
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
INSERT INTO "trial_params" VALUES(1,1,'learning_rate',1.37803025586904354105e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(2,1,'input_noise',1.59026533267199093879e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(3,1,'final_input_noise',7.52083950340037398624e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.005, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(4,1,'weight_decay',1.07539931399771985544e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.2, "log": true}}');
INSERT INTO "trial_params" VALUES(5,1,'activation',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["silu", "tanh", "relu"]}}');
INSERT INTO "trial_params" VALUES(6,1,'size',0.668286882919902,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(7,1,'grow',4.60845645476373577675e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.2, "high": 1.5, "log": true}}');
INSERT INTO "trial_params" VALUES(8,2,'learning_rate',3.48528546124385373364e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(9,2,'input_noise',5.3103580708992037529e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(10,2,'final_input_noise',6.6405894115176538478e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.005, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(11,2,'weight_decay',1.14742952397779750597e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.2, "log": true}}');
INSERT INTO "trial_params" VALUES(12,2,'activation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["silu", "tanh", "relu"]}}');
INSERT INTO "trial_params" VALUES(13,2,'size',5.29773086636971202167e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(14,2,'grow',2.04849171071153496326e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.2, "high": 1.5, "log": true}}');
INSERT INTO "trial_params" VALUES(15,3,'learning_rate',1.85001268704713707491e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(16,3,'input_noise',5.3103580708992037529e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(17,3,'final_input_noise',7.52083950340037398624e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.005, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(18,3,'weight_decay',1.14742952397779750597e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 0.2, "log": true}}');
INSERT INTO "trial_params" VALUES(19,3,'activation',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["silu", "tanh", "relu"]}}');
INSERT INTO "trial_params" VALUES(20,3,'size',0.668286882919902,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(21,3,'grow',2.04849171071153496326e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.2, "high": 1.5, "log": true}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'NSGAIISampler:generation','0');
INSERT INTO "trial_system_attributes" VALUES(2,2,'NSGAIISampler:generation','0');
INSERT INTO "trial_system_attributes" VALUES(3,3,'NSGAIISampler:generation','1');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'nas:record','{"format": 1, "seed": 1423060238, "steps": 10, "parent": null, "mutation": "layer of 4 neurons and shortcuts", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.013780302558690435, "input_noise": 0.1590265332671991, "final_input_noise": 0.007520839503400374, "weight_decay": 0.0010753993139977199, "activation": "tanh"}, "inherited": false, "file": "3db78beaca473cedf13bbf3dbb3c5b93"}');
INSERT INTO "trial_user_attributes" VALUES(2,1,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_error": 0.4271901573273399, "val_accuracy": 0.5728098426726601, "test_error": 0.4271901573273399, "inference_seconds": 1.2800000000000001e-05, "train_step_seconds": 3.84e-05, "edges": 28.0, "density": 0.6086956521739131, "depth": 2.0}, "hardware": {}, "seconds": 0.0, "worker": "", "file": "0a544a4fde56362acbbdf9531211c01f"}');
INSERT INTO "trial_user_attributes" VALUES(3,2,'nas:record','{"format": 1, "seed": 916624404, "steps": 10, "parent": null, "mutation": "layer of 4 neurons and shortcuts", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.0034852854612438537, "input_noise": 0.5310358070899204, "final_input_noise": 0.006640589411517654, "weight_decay": 0.0011474295239777975, "activation": "silu"}, "inherited": false, "file": "88cbfbdeb648b14206bc96cf6ea3a4e1"}');
INSERT INTO "trial_user_attributes" VALUES(4,2,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_error": 0.43922652681969715, "val_accuracy": 0.5607734731803029, "test_error": 0.43922652681969715, "inference_seconds": 1.2800000000000001e-05, "train_step_seconds": 3.84e-05, "edges": 28.0, "density": 0.6086956521739131, "depth": 2.0}, "hardware": {}, "seconds": 0.0, "worker": "", "file": "bb5b7aa9a79807a1d3d5789e38266517"}');
INSERT INTO "trial_user_attributes" VALUES(5,3,'nas:record','{"format": 1, "seed": 1003759854, "steps": 10, "parent": null, "mutation": "layer of 4 neurons and shortcuts", "hyperparameters": {"parametrisation": "free", "learning_rate": 0.01850012687047137, "input_noise": 0.5310358070899204, "final_input_noise": 0.007520839503400374, "weight_decay": 0.0011474295239777975, "activation": "tanh"}, "inherited": false, "file": "67d6614e09afd68b16a12ce871db101a"}');
INSERT INTO "trial_user_attributes" VALUES(6,3,'nas:result','{"format": 1, "status": "complete", "reason": "", "metrics": {"val_error": 0.4605739508678418, "val_accuracy": 0.5394260491321582, "test_error": 0.4605739508678418, "inference_seconds": 1.2800000000000001e-05, "train_step_seconds": 3.84e-05, "edges": 28.0, "density": 0.6086956521739131, "depth": 2.0}, "hardware": {}, "seconds": 0.0, "worker": "", "file": "fbfcd46a4ff35e8373d1107a2e1f4f42"}');
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
INSERT INTO "trial_values" VALUES(1,1,0,4.27190157327339892212e-01,'FINITE');
INSERT INTO "trial_values" VALUES(2,1,1,1.28000000000000011142e-05,'FINITE');
INSERT INTO "trial_values" VALUES(3,2,0,4.39226526819697149495e-01,'FINITE');
INSERT INTO "trial_values" VALUES(4,2,1,1.28000000000000011142e-05,'FINITE');
INSERT INTO "trial_values" VALUES(5,3,0,4.60573950867841808154e-01,'FINITE');
INSERT INTO "trial_values" VALUES(6,3,1,1.28000000000000011142e-05,'FINITE');
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
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-30 00:57:32.562487','2026-11-30 00:57:33.155763');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-30 00:57:33.156600','2026-11-30 00:57:33.178643');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-30 00:57:33.178961','2026-11-30 00:57:33.182342');
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
